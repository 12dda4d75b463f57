// workloads.h: named, seeded pairs of snapshots, made with the schema of the reference game.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "libsync/snapshot.h"
#include "world_generated.h"

namespace libsync::bench {

struct Pair {
  SnapshotPtr baseline;
  SnapshotPtr target;
};

// A universe of `count` bodies that can be stepped, changed and serialised.
class Universe {
 public:
  Universe(std::uint64_t seed, std::size_t count) : random_(seed) {
    for (std::size_t i = 0; i < count; ++i) {
      Body body;
      body.id = static_cast<std::uint32_t>(i + 1);
      const float angle = uniform(0, 6.2831853f);
      const float distance = uniform(20, 2000);
      body.position = {distance * std::cos(angle), distance * std::sin(angle), uniform(-5, 5)};
      const float speed = 60.0f / std::sqrt(distance);
      body.velocity = {-speed * std::sin(angle), speed * std::cos(angle), 0.0f};
      body.mass = uniform(0.001f, 10);
      bodies_.push_back(body);
    }
  }

  // Everything moves by one tick of 0.1 s around a mass in the middle.
  void move() {
    ++tick_;
    for (Body& body : bodies_) {
      const world::Vec3& p = body.position;
      const float distance = std::sqrt(p.x() * p.x() + p.y() * p.y());
      const float pull = -3600.0f / (distance * distance * distance) * 0.1f;
      body.velocity = {body.velocity.x() + pull * p.x(), body.velocity.y() + pull * p.y(), 0.0f};
      body.position = {p.x() + body.velocity.x() * 0.1f, p.y() + body.velocity.y() * 0.1f, p.z()};
    }
  }
  // One scalar of every `nth` body changes.
  void change(std::size_t nth) {
    ++tick_;
    for (std::size_t i = 0; i < bodies_.size(); i += nth) bodies_[i].mass += 1;
  }
  // A body in the middle disappears, another one appears at the end.
  void replace() {
    ++tick_;
    bodies_.erase(bodies_.begin() + static_cast<std::ptrdiff_t>(bodies_.size() / 2));
    Body body = bodies_.front();
    body.id = bodies_.back().id + 1;
    bodies_.push_back(body);
  }

  SnapshotPtr snapshot() {
    builder_.Clear();
    std::vector<flatbuffers::Offset<world::CelestialBody>> offsets;
    for (const Body& body : bodies_) {
      offsets.push_back(world::CreateCelestialBody(builder_, body.id, world::BodyType::kAsteroid, &body.position,
                                                   &body.velocity, body.mass, 1.0f, 1));
    }
    const auto bodies = builder_.CreateVector(offsets);
    world::FinishGameStateBuffer(builder_, world::CreateGameState(builder_, tick_, tick_ * 100, 1.0f, 0, bodies));
    return Snapshot::copy_of({reinterpret_cast<const std::byte*>(builder_.GetBufferPointer()), builder_.GetSize()});
  }

 private:
  struct Body {
    std::uint32_t id = 0;
    world::Vec3 position;
    world::Vec3 velocity;
    float mass = 0;
  };

  float uniform(float low, float high) { return std::uniform_real_distribution<float>(low, high)(random_); }

  std::mt19937_64 random_;
  std::vector<Body> bodies_;
  std::uint64_t tick_ = 1;  // at its default it would take no place, and the first step would move everything
  flatbuffers::FlatBufferBuilder builder_;
};

// Nothing but the tick moves, and one scalar of 1 % of the bodies.
inline Pair sparse_1pct(std::size_t count) {
  Universe universe(1, count);
  Pair pair{universe.snapshot(), nullptr};
  universe.change(100);
  pair.target = universe.snapshot();
  return pair;
}

// Every position and velocity changes: the reference game.
inline Pair dense_motion(std::size_t count) {
  Universe universe(1, count);
  Pair pair{universe.snapshot(), nullptr};
  universe.move();
  pair.target = universe.snapshot();
  return pair;
}

// One body removed, one created; nearly every offset in the buffer changes.
inline Pair inserted(std::size_t count) {
  Universe universe(1, count);
  Pair pair{universe.snapshot(), nullptr};
  universe.replace();
  pair.target = universe.snapshot();
  return pair;
}

}  // namespace libsync::bench
