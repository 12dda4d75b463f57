// bodies.h: the celestial bodies: where they are, what they orbit, and how they move.
// A body's parent is always older than the body itself, so one pass in order of id meets parents first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "game/orbit.h"
#include "world_generated.h"

namespace libsync::server {

using world::BodyType;

// Beyond this distance from the origin nothing can be created.
inline constexpr float kUniverseRadius = 1200;
inline constexpr float kGravity = 1;

struct Body {
  std::uint32_t id = 0;
  BodyType body_type = BodyType::kAsteroid;
  float mass = 0;
  float radius = 0;
  std::uint32_t parent = 0;  // id; 0 for the star alone
  Motion relative;           // to the parent; this is what is integrated and saved
  Motion absolute;           // derived from it and the parent's; this is what clients see
  std::string name;          // empty: none
  std::string owner;         // empty: the universe
};

// Whether other bodies cannot be created inside it.
inline bool is_heavy(BodyType type) {
  return type == BodyType::kStar || type == BodyType::kPlanet || type == BodyType::kMoon;
}

class Bodies {
 public:
  explicit Bodies(float gravity = kGravity) : gravity_(gravity) {}

  // Gives `body` the next id and its absolute motion. Requires: body.parent is the id of a body here, or 0.
  const Body& add(Body body);
  // Takes a saved body with its id. Requires: the id is above all ids here; the parent as above.
  void restore(Body body);
  // Ids below this one are used up. Requires: above all ids here.
  void set_next_id(std::uint32_t id) { next_id_ = id; }

  // Moves every body by `dt` seconds. Cost: two square roots per body.
  void step(float dt);

  // By ascending id.
  const std::vector<Body>& all() const { return all_; }
  std::size_t size() const { return all_.size(); }
  std::uint32_t next_id() const { return next_id_; }
  float gravity() const { return gravity_; }
  // Null if there is none.
  const Body* find(std::uint32_t id) const;

  // What a body created at `position` orbits: among the planets whose Hill sphere holds it the one that attracts it
  // most, else the star. Requires: the first body is the star.
  const Body& attractor_of(const Vec3f& position) const;
  // A star, planet or moon that a ball of `radius` around `position` would touch. Null if there is none.
  const Body* find_touching(const Vec3f& position, float radius) const;

 private:
  float gravity_;
  std::uint32_t next_id_ = 1;
  std::vector<Body> all_;
  std::vector<std::size_t> parents_;  // [size()] index of the parent; own index for the star
};

}  // namespace libsync::server
