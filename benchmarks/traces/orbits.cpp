// orbits.cpp: c and c2: eight heavy bodies circle their common centre, each with some 250 light ones around it, which
// feel all eight. Everything moves, smoothly. c publishes doubles, c2 the same as floats.
#include <array>
#include <cmath>
#include <memory>

#include "games.h"
#include "genesis.h"

namespace libsync::traces {
namespace {

constexpr std::uint32_t kHeavy = 8;
constexpr std::uint32_t kLight = 1992;
constexpr double kTick = 0.1;                     // seconds
constexpr double kRing = 1500;                    // radius of the circle of the heavy ones
constexpr double kHeavyPull = 900;                // gravitational constant times mass of each
constexpr double kNearest = 40, kFarthest = 400;  // of a light one from its heavy one
constexpr double kSoftening = 1;                  // keeps close encounters finite

Vector operator+(const Vector& a, const Vector& b) { return {a[0] + b[0], a[1] + b[1], a[2] + b[2]}; }
Vector operator-(const Vector& a, const Vector& b) { return {a[0] - b[0], a[1] - b[1], a[2] - b[2]}; }
Vector operator*(const Vector& a, double k) { return {a[0] * k, a[1] * k, a[2] * k}; }
double dot(const Vector& a, const Vector& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
Vector cross(const Vector& a, const Vector& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

// Of length 1, all directions as likely.
Vector direction(Random& random) {
  for (;;) {
    Vector v;
    for (double& x : v) x = random.uniform(-1, 1);
    const double square = dot(v, v);
    if (square > 0.01 && square < 1) return v * (1 / std::sqrt(square));
  }
}

class Orbits final : public Workload {
 public:
  Orbits(std::uint64_t seed, Motion motion) : Workload(seed) {
    world_ = make_world(random_, {.bodies = kHeavy + kLight}, motion);
    for (std::uint32_t i = 0; i < kHeavy; ++i) place_heavy(i);
    for (std::uint32_t i = kHeavy; i < world_.bodies.size(); ++i) place_light(world_.bodies[i]);
  }

 private:
  // The speed of a circle of eight that attract each other: the sum of 1 / sin(pi k / 8) for k = 1 to 7, over 4.
  void place_heavy(std::uint32_t number) {
    constexpr double kEighth = 0.70710678118654752;  // of the unit circle: sine and cosine
    constexpr std::array<double, 2> kCorners[kHeavy] = {{1, 0},  {kEighth, kEighth},   {0, 1},  {-kEighth, kEighth},
                                                        {-1, 0}, {-kEighth, -kEighth}, {0, -1}, {kEighth, -kEighth}};
    const auto [x, y] = kCorners[number];
    const double speed = std::sqrt(kHeavyPull / kRing * (11.2194 / 4));
    Body& body = world_.bodies[number];
    body.kind = fb::BodyKind::kStar;
    body.position = {x * kRing, y * kRing, random_.uniform(-20, 20)};
    body.velocity = {-y * speed, x * speed, 0};
  }

  // On a circle around one of the heavy ones, tilted any way.
  void place_light(Body& body) {
    const Body& centre = world_.bodies[random_.below(kHeavy)];
    const Vector outward = direction(random_);
    Vector along = cross(outward, direction(random_));
    along = along * (1 / std::sqrt(dot(along, along)));
    const double distance = random_.uniform(kNearest, kFarthest);
    body.position = centre.position + outward * distance;
    body.velocity = centre.velocity + along * std::sqrt(kHeavyPull / distance);
  }

  // Semi-implicit Euler: the new velocity moves the body.
  void tick() override {
    std::array<Vector, kHeavy> heavy;
    for (std::uint32_t i = 0; i < kHeavy; ++i) heavy[i] = world_.bodies[i].position;
    for (Body& body : world_.bodies) {
      Vector pull{};
      for (const Vector& other : heavy) {
        const Vector distance = other - body.position;
        const double square = dot(distance, distance) + kSoftening;
        pull = pull + distance * (kHeavyPull / (square * std::sqrt(square)));  // of itself: zero
      }
      body.velocity = body.velocity + pull * kTick;
      body.position = body.position + body.velocity * kTick;
    }
  }
};

}  // namespace

std::unique_ptr<Workload> make_orbits_double(std::uint64_t seed) {
  return std::make_unique<Orbits>(seed, Motion::kDouble);
}

std::unique_ptr<Workload> make_orbits_float(std::uint64_t seed) {
  return std::make_unique<Orbits>(seed, Motion::kFloat);
}

}  // namespace libsync::traces
