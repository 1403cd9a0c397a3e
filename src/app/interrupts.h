#pragma once
#include "base/executor.h"

#include <functional>

namespace lab::app {

/// While `handler` is set, SIGINT, SIGTERM and SIGHUP run it on the loop's thread instead of ending
/// the process; SIGHUP once, and not under nohup. nullptr gives the signals their default action
/// back, except that a terminal that has closed stays closed: SIGHUP does nothing more. Main thread
/// only.
void handle_interrupts(Executor& loop, std::function<void()> handler);

/// Process-wide settings that every start needs: SIGPIPE and SIGXFSZ become errors of write(), the
/// limit on open files goes up to what the system allows, standard streams that are closed are not
/// taken by other files.
void prepare_process();

}  // namespace lab::app
