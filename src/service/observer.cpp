#include "service/observer.h"

namespace lab::service {

Observer& no_observer() {
    static Observer observer;
    return observer;
}

}  // namespace lab::service
