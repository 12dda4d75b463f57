#include "game/genesis.h"

#include <array>
#include <random>
#include <utility>

#include "libsync/result.h"

namespace libsync::server {
namespace {

constexpr float kStarMass = 9000;
constexpr float kStarRadius = 14;
constexpr std::size_t kComets = 80;

struct PlanetPlan {
  const char* name;
  float distance;
  float mass;
  float radius;
  int moons;
  float nearest_moon;
  float farthest_moon;
};

// Distances leave room for the inner belt at 170-215 and the outer one at 910-1060; moons stay inside Hill spheres.
constexpr std::array<PlanetPlan, 12> kPlanets{{
    {"Ember", 45, 3, 1.4F, 0, 0, 0},
    {"Vesper", 72, 5, 2.0F, 1, 3.4F, 3.4F},
    {"Halcyon", 104, 6, 2.2F, 1, 4.2F, 4.2F},
    {"Rook", 140, 4, 1.7F, 2, 3.2F, 5.6F},
    {"Goliath", 275, 60, 7.0F, 8, 11, 31},
    {"Auric", 360, 40, 6.0F, 7, 10, 34},
    {"Cerule", 445, 20, 4.2F, 5, 8, 30},
    {"Lantern", 530, 18, 4.0F, 5, 8, 32},
    {"Mistral", 610, 10, 3.0F, 3, 6, 20},
    {"Obol", 690, 5, 2.0F, 2, 5, 14},
    {"Thule", 770, 3, 1.6F, 1, 6, 6},
    {"Farewell", 850, 2.5F, 1.4F, 1, 5, 5},
}};

// The engine is the standard's, whose numbers are fixed; its distributions are not, so they are made here.
// At most one call per argument list: the order in which arguments are computed is the compiler's choice.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : engine_(seed) {}

  float between(float low, float high) {
    const auto unit = static_cast<float>(engine_() >> 40U) * 0x1p-24F;
    return low + (high - low) * unit;
  }

  // A direction in the plane, by rejection: no sine, so no library decides a bit.
  Vec3f direction() {
    for (;;) {
      const Vec3f v{between(-1, 1), between(-1, 1), 0};
      const float r2 = length_squared(v);
      if (r2 > 0.01F && r2 < 1) return unit(v);
    }
  }

 private:
  std::mt19937_64 engine_;
};

// Somewhere on an orbit of this size and shape, tilted by at most `tilt` (slope, not angle).
Motion somewhere(Chance& chance, float periapsis, float eccentricity, float tilt, float mu) {
  KeplerOrbit orbit;
  orbit.periapsis = periapsis;
  orbit.eccentricity = eccentricity;
  orbit.to_periapsis = chance.direction();
  orbit.along = unit({-orbit.to_periapsis.y, orbit.to_periapsis.x, chance.between(-tilt, tilt)});
  const Vec3f anomaly = chance.direction();
  return point_of_orbit(orbit, mu, anomaly.x, anomaly.y);
}

Body make_body(BodyType type, float mass, float radius, const Body& parent, Motion relative) {
  Body body;
  body.body_type = type;
  body.mass = mass;
  body.radius = radius;
  body.parent = parent.id;
  body.relative = relative;
  return body;
}

Body make_moon(Chance& chance, const PlanetPlan& plan, int index, const Body& planet) {
  const float step = plan.moons > 1 ? (plan.farthest_moon - plan.nearest_moon) / static_cast<float>(plan.moons - 1) : 0;
  const float distance = plan.nearest_moon + step * (static_cast<float>(index) + chance.between(-0.25F, 0));
  const float radius = plan.radius * chance.between(0.1F, 0.2F);
  return make_body(BodyType::kMoon, 0.05F * radius, radius, planet,
                   somewhere(chance, distance, chance.between(0, 0.01F), 0.1F, kGravity * plan.mass));
}

Body make_comet(Chance& chance, const Body& star) {
  const float periapsis = chance.between(30, 200);
  const float apoapsis = chance.between(500, 1150);
  const float eccentricity = (apoapsis - periapsis) / (apoapsis + periapsis);
  const float radius = chance.between(0.15F, 0.3F);
  return make_body(BodyType::kComet, 0.0005F, radius, star,
                   somewhere(chance, periapsis, eccentricity, 0.4F, kGravity * star.mass));
}

Body make_asteroid(Chance& chance, const Body& star) {
  const bool inner = chance.between(0, 1) < 0.75F;
  const float distance = inner ? chance.between(170, 215) : chance.between(910, 1060);
  const float radius = chance.between(0.1F, 0.5F);
  return make_body(BodyType::kAsteroid, 0.001F, radius, star,
                   somewhere(chance, distance, chance.between(0, 0.04F), 0.08F, kGravity * star.mass));
}

}  // namespace

Bodies make_bodies(std::uint64_t seed, std::size_t count) {
  SYNC_ASSERT(count >= 1);
  Chance chance(seed);
  Bodies bodies;
  Body sun;
  sun.body_type = BodyType::kStar;
  sun.mass = kStarMass;
  sun.radius = kStarRadius;
  sun.name = "Asterion";
  const Body star = bodies.add(std::move(sun));  // a copy: later ones move the original

  for (const PlanetPlan& plan : kPlanets) {
    if (bodies.size() == count) return bodies;
    Body planet = make_body(BodyType::kPlanet, plan.mass, plan.radius, star,
                            somewhere(chance, plan.distance, chance.between(0, 0.02F), 0.03F, kGravity * star.mass));
    planet.name = plan.name;
    bodies.add(std::move(planet));
  }
  for (std::size_t p = 0; p < kPlanets.size(); ++p) {
    for (int m = 0; m < kPlanets[p].moons; ++m) {
      if (bodies.size() == count) return bodies;
      bodies.add(make_moon(chance, kPlanets[p], m, bodies.all()[p + 1]));
    }
  }
  for (std::size_t c = 0; c < kComets && bodies.size() < count; ++c) bodies.add(make_comet(chance, star));
  while (bodies.size() < count) bodies.add(make_asteroid(chance, star));
  return bodies;
}

}  // namespace libsync::server
