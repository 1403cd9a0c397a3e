#pragma once
#include "api/application.h"
#include "platform/telemetry/log.h"

namespace lab::app {

/// One line for a request that was answered: ERROR from 500 on, WARN from 400 on, else INFO.
void log_request(Logger& log, const api::Served& served);

}  // namespace lab::app
