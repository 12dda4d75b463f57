// traffic.cpp: d: ships in fixed point, 1/1024 of a unit. About a fifth of them is under way, at a velocity that its
// helm corrects now and then; some arrive in every tick and others set out.
#include <memory>

#include "games.h"
#include "genesis.h"

namespace libsync::traces {
namespace {

constexpr double kMoving = 0.195;   // of all ships
constexpr double kArrives = 0.035;  // of those moving, per tick
constexpr double kCorrects = 0.18;  // of the components of a velocity, per tick
constexpr int kSpeed = 11'000;      // most, per component: fixed point per second
constexpr int kCorrection = 120;    // most, in the same unit

class Traffic final : public Workload {
 public:
  explicit Traffic(std::uint64_t seed) : Workload(seed) {
    world_ = make_world(random_, {.bodies = 2000}, Motion::kFixed);
    for (Body& ship : world_.bodies) {
      for (double& x : ship.position) x = random_.between(-4'000'000, 4'000'000);
      ship.velocity = {};
      if (random_.chance(kMoving)) set_out(ship);
    }
  }

 private:
  void tick() override {
    constexpr double kSetsOut = kArrives * kMoving / (1 - kMoving);  // keeps the share of those moving
    for (Body& ship : world_.bodies) {
      if (ship.velocity == Vector{}) {
        if (random_.chance(kSetsOut)) set_out(ship);
      } else if (random_.chance(kArrives)) {
        ship.velocity = {};
      } else {
        for (double& v : ship.velocity) {
          if (random_.chance(kCorrects)) v += random_.step(kCorrection);
        }
      }
      // A tenth of a second, rounded as whole numbers are: towards zero.
      for (std::size_t i = 0; i < 3; ++i) ship.position[i] += static_cast<int>(ship.velocity[i]) / 10;
    }
  }

  void set_out(Body& ship) {
    for (double& v : ship.velocity) v = random_.step(kSpeed);
  }
};

}  // namespace

std::unique_ptr<Workload> make_traffic(std::uint64_t seed) { return std::make_unique<Traffic>(seed); }

}  // namespace libsync::traces
