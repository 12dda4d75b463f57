// orbit.h: how a body moves around its parent: two bodies, the parent at the origin, all in float32.
// Distances and times are those of schemas/world.fbs; `mu` is gravity times the parent's mass.
#pragma once

#include "game/vec3.h"

namespace libsync::server {

// Relative to a parent, or absolute: the user of the value says which.
struct Motion {
  Vec3f position;
  Vec3f velocity;
  bool operator==(const Motion&) const = default;
};

// One step of `dt` seconds by kick-drift-kick leapfrog. It is symplectic: the energy error oscillates and does not
// grow, so an orbit keeps its size for as long as the server runs; explicit Euler would spiral outwards. (Hairer,
// Lubich, Wanner, "Geometric numerical integration illustrated by the Stormer-Verlet method", 2003.) Good while dt
// times the angular velocity stays below about 0.2. Requires: the position is not zero.
Motion leapfrog_step(const Motion& motion, float mu, float dt);

// The velocity that keeps `position` on a circle, counter-clockwise seen from +z, as flat as the position allows.
// Requires: `position` is not zero.
Vec3f circular_velocity(const Vec3f& position, float mu);

// A point of a Kepler orbit. `to_periapsis` and `along` are unit vectors that span its plane, at a right angle; the
// true anomaly is given by its cosine and sine, so that no library function decides a bit of the result.
struct KeplerOrbit {
  float periapsis = 0;     // nearest distance, above zero
  float eccentricity = 0;  // 0 circle, below 1
  Vec3f to_periapsis;
  Vec3f along;
};
Motion point_of_orbit(const KeplerOrbit& orbit, float mu, float cos_anomaly, float sin_anomaly);

}  // namespace libsync::server
