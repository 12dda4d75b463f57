// genesis.h: the universe as it is before anybody plays: one star, planets with moons, comets, two belts of asteroids.
#pragma once

#include <cstddef>
#include <cstdint>

#include "game/bodies.h"

namespace libsync::server {

// The same seed and count give the same bodies, bit for bit, on every machine.
// Periods: 20 s for the innermost planet, half an hour at the rim, 10 s and more for moons.
// Requires: `count` is at least 1. Few bodies: the star and planets come first, asteroids last.
Bodies make_bodies(std::uint64_t seed, std::size_t count);

}  // namespace libsync::server
