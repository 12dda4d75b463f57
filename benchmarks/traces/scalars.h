// scalars.h: the small changes of a body's life that several games have.
#pragma once

#include "model.h"
#include "random.h"

namespace libsync::traces {

// Changes `count` different ones of population, hp, temperature and one resource by a little. None becomes or was its
// default. Requires: count is 1 to 4.
void change_scalars(Random& random, Body& body, int count);

}  // namespace libsync::traces
