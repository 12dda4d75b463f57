// search.h: looks for patches that are slow for their size, by changing those that were slowest so far.
#pragma once

#include <cstdint>

namespace libsync::hostile {

// Goes on for so long, then prints the slowest of each kind of baseline with what it says, the worst last: nanoseconds
// for each byte of patch, baseline and target, which have some 100 kB together. The clock has its share in what is
// found: a seed alone does not repeat a search.
void search(double seconds, std::uint64_t seed);

}  // namespace libsync::hostile
