// reorder.cpp: h: bodies sorted by their distance to a viewer, nearest first, so that a client draws the near ones
// first. The viewer flies on; every 5 ticks the bodies are sorted anew, every 25 the viewer jumps elsewhere. Some
// bodies move, some change.
#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "games.h"
#include "genesis.h"
#include "scalars.h"

namespace libsync::traces {
namespace {

constexpr std::uint32_t kSortEvery = 5;
constexpr std::uint32_t kJumpEvery = 25;
constexpr std::uint32_t kMovers = 50;
constexpr int kScalarsChanged[2] = {15, 25};
constexpr double kSize = 5000;     // half the edge of the world
constexpr double kViewerStep = 4;  // per tick, in each direction

class Reorder final : public Workload {
 public:
  explicit Reorder(std::uint64_t seed) : Workload(seed) {
    world_ = make_world(random_, {.bodies = 2000}, Motion::kFloat);
    for (std::uint32_t i = 0; i < kMovers; ++i) movers_.push_back(body().id);
    std::ranges::sort(movers_);
    world_.has_viewer = true;
    jump();
    sort();
  }

 private:
  void tick() override {
    ++ticks_;
    for (Body& mover : world_.bodies) {
      if (std::ranges::binary_search(movers_, mover.id)) move(mover);
    }
    for (int i = random_.between(kScalarsChanged[0], kScalarsChanged[1]); i > 0; --i) {
      Body& changed = body();
      change_scalars(random_, changed, random_.between(1, 2));
    }
    for (std::size_t i = 0; i < 3; ++i) world_.viewer[i] += heading_[i] * kViewerStep;
    if (ticks_ % kJumpEvery == 0) jump();
    if (ticks_ % kSortEvery == 0) sort();
  }

  void jump() {
    for (double& x : world_.viewer) x = random_.uniform(-kSize, kSize);
    for (double& x : heading_) x = random_.uniform(-1, 1);
  }

  // A slow turn: the velocity rotates in the plane, and climbs and sinks a little.
  static void move(Body& body) {
    constexpr double kSine = 0.01, kCosine = 0.99995;
    const auto [x, y, z] = body.velocity;
    body.velocity = {kCosine * x - kSine * y, kSine * x + kCosine * y, z * 0.999};
    for (std::size_t i = 0; i < 3; ++i) body.position[i] += body.velocity[i] * 0.1;
  }

  void sort() {
    const auto distance = [this](const Body& body) {
      double square = 0;
      for (std::size_t i = 0; i < 3; ++i) {
        const double d = body.position[i] - world_.viewer[i];
        square += d * d;
      }
      return square;
    };
    std::ranges::stable_sort(world_.bodies, {}, distance);
  }

  Body& body() { return world_.bodies[random_.below(static_cast<std::uint32_t>(world_.bodies.size()))]; }

  std::vector<std::uint32_t> movers_;  // ids, sorted
  Vector heading_{};
  std::uint32_t ticks_ = 0;
};

}  // namespace

std::unique_ptr<Workload> make_reorder(std::uint64_t seed) { return std::make_unique<Reorder>(seed); }

}  // namespace libsync::traces
