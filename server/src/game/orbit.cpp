#include "game/orbit.h"

namespace libsync::server {
namespace {

Vec3f acceleration(const Vec3f& position, float mu) {
  const float r2 = length_squared(position);
  return position * (-mu / (r2 * std::sqrt(r2)));
}

}  // namespace

Motion leapfrog_step(const Motion& motion, float mu, float dt) {
  const float half = dt * 0.5F;
  const Vec3f kicked = motion.velocity + acceleration(motion.position, mu) * half;
  const Vec3f position = motion.position + kicked * dt;
  return {position, kicked + acceleration(position, mu) * half};
}

Vec3f circular_velocity(const Vec3f& position, float mu) {
  // z x r lies in the plane of the picture; above a pole it vanishes and any direction will do.
  Vec3f direction{-position.y, position.x, 0};
  if (length_squared(direction) == 0) direction = {1, 0, 0};
  return unit(direction) * std::sqrt(mu / length(position));
}

Motion point_of_orbit(const KeplerOrbit& orbit, float mu, float cos_anomaly, float sin_anomaly) {
  const float semi_latus = orbit.periapsis * (1 + orbit.eccentricity);
  const float distance = semi_latus / (1 + orbit.eccentricity * cos_anomaly);
  const float speed = std::sqrt(mu / semi_latus);
  Motion motion;
  motion.position = (orbit.to_periapsis * cos_anomaly + orbit.along * sin_anomaly) * distance;
  motion.velocity =
      orbit.to_periapsis * (-sin_anomaly * speed) + orbit.along * ((orbit.eccentricity + cos_anomaly) * speed);
  return motion;
}

}  // namespace libsync::server
