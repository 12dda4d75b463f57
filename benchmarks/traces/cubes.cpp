// cubes.cpp: i: 900 cubes on a plain and a larger one that a player drives through them. What it touches is pushed
// away, rolls, pushes others and comes to rest. Positions and rotations are quantised to whole numbers.
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <vector>

#include "games.h"

namespace libsync::traces {
namespace {

constexpr int kRows = 30;
constexpr double kSpacing = 1.25;  // metres
constexpr double kRadius = 0.4;    // a cube counts as a ball of this size when pushed
constexpr double kPlayerRadius = 1.2;
constexpr double kPlayerSpeed = 4;  // metres per second
constexpr double kRoom = 15;        // the player turns back this far from the middle
constexpr double kFriction = 0.82;  // of the speed left after a tick
constexpr double kRest = 0.08;      // metres per second; slower ones stop
constexpr int kSubsteps = 4;        // per tick
constexpr double kStep = 0.1 / kSubsteps;

struct Solid {
  double x = 0, z = 0, vx = 0, vz = 0;
  std::array<double, 4> rotation{0, 0, 0, 1};
  double radius = kRadius;
  double hop = 0;  // metres above rest
  bool touched = false;
};

class Cubes final : public Workload {
 public:
  explicit Cubes(std::uint64_t seed) : Workload(seed) {
    world_.tick = 70'000;
    world_.time_ms = 7'000'000;
    solids_.resize(1);
    solids_[0].x = random_.uniform(-kRoom, kRoom);
    solids_[0].z = -kRoom;
    solids_[0].radius = kPlayerRadius;
    for (int i = 0; i < kRows * kRows; ++i) {
      Solid solid;
      solid.x = (i % kRows - (kRows - 1) / 2.0) * kSpacing;
      solid.z = (i / kRows - (kRows - 1) / 2.0) * kSpacing;
      solids_.push_back(solid);
    }
    publish();
  }

 private:
  void tick() override {
    steer();
    for (int i = 0; i < kSubsteps; ++i) {
      for (Solid& solid : solids_) move(solid);
      for (std::size_t k = 0; k < solids_.size(); ++k) {
        if (k == 0 || solids_[k].touched) push_others(k);
      }
    }
    for (std::size_t i = 1; i < solids_.size(); ++i) slow_down(solids_[i]);
    publish();
  }

  // The player drives straight on, with a slight turn, and heads for the middle when too far out.
  void steer() {
    Solid& player = solids_[0];
    double turn_x = player.vx + random_.uniform(-0.8, 0.8), turn_z = player.vz + random_.uniform(-0.8, 0.8);
    if (player.x * player.x + player.z * player.z > kRoom * kRoom) {
      turn_x -= player.x * 0.1;
      turn_z -= player.z * 0.1;
    }
    const double scale = kPlayerSpeed / std::sqrt(turn_x * turn_x + turn_z * turn_z + 1e-9);
    player.vx = turn_x * scale;
    player.vz = turn_z * scale;
    player.touched = true;
  }

  static void move(Solid& solid) {
    if (solid.vx == 0 && solid.vz == 0) return;
    solid.x += solid.vx * kStep;
    solid.z += solid.vz * kStep;
    roll(solid);
  }

  // Rolling: the axis lies flat across the velocity, the angle is the way over the radius.
  static void roll(Solid& solid) {
    const double wx = solid.vz / solid.radius * kStep / 2, wz = -solid.vx / solid.radius * kStep / 2;
    const auto [x, y, z, w] = solid.rotation;
    std::array<double, 4> turned = {x + wx * w - wz * y, y + wz * x - wx * z, z + wz * w + wx * y, w - wx * x - wz * z};
    double square = 0;
    for (const double part : turned) square += part * part;
    for (double& part : turned) part /= std::sqrt(square);
    solid.rotation = turned;
  }

  // Moves what overlaps with `number` out of its way and hands it a part of the speed.
  void push_others(std::size_t number) {
    Solid& pusher = solids_[number];
    for (std::size_t i = 1; i < solids_.size(); ++i) {
      Solid& other = solids_[i];
      const double dx = other.x - pusher.x, dz = other.z - pusher.z, reach = other.radius + pusher.radius;
      const double square = dx * dx + dz * dz;
      if (i == number || square >= reach * reach || square < 1e-12) continue;
      const double distance = std::sqrt(square), nx = dx / distance, nz = dz / distance;
      const double depth = reach - distance;
      const double share = number == 0 ? 1.0 : 0.5;
      other.x += nx * depth * share;
      other.z += nz * depth * share;
      pusher.x -= nx * depth * (1 - share);
      pusher.z -= nz * depth * (1 - share);
      const double approach = (pusher.vx - other.vx) * nx + (pusher.vz - other.vz) * nz;
      if (approach <= 0) continue;
      other.vx += nx * approach * share;
      other.vz += nz * approach * share;
      pusher.vx -= nx * approach * (1 - share);
      pusher.vz -= nz * approach * (1 - share);
      other.touched = true;
      if (approach > 2) other.hop = std::min(0.3, approach * 0.05);
    }
  }

  static void slow_down(Solid& solid) {
    if (!solid.touched) return;
    solid.vx *= kFriction;
    solid.vz *= kFriction;
    solid.hop = solid.hop > 0.01 ? solid.hop * 0.5 : 0;
    if (solid.vx * solid.vx + solid.vz * solid.vz >= kRest * kRest || solid.hop > 0) return;
    solid.vx = solid.vz = 0;
    solid.touched = false;
  }

  void publish() {
    const auto whole = [](double value) { return static_cast<std::int32_t>(std::floor(value + 0.5)); };
    world_.cubes.clear();
    for (const Solid& solid : solids_) {
      const auto& r = solid.rotation;
      world_.cubes.emplace_back(whole(solid.x * 512), whole((solid.radius + solid.hop) * 512), whole(solid.z * 512),
                                whole(r[0] * 1024), whole(r[1] * 1024), whole(r[2] * 1024), whole(r[3] * 1024),
                                solid.touched ? 1u : 0u);
    }
  }

  std::vector<Solid> solids_;  // the player's first
};

}  // namespace

std::unique_ptr<Workload> make_cubes(std::uint64_t seed) { return std::make_unique<Cubes>(seed); }

}  // namespace libsync::traces
