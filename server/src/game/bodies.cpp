#include "game/bodies.h"

#include <algorithm>
#include <utility>

#include "libsync/result.h"

namespace libsync::server {

const Body& Bodies::add(Body body) {
  body.id = next_id_;
  restore(std::move(body));
  return all_.back();
}

void Bodies::restore(Body body) {
  SYNC_ASSERT(all_.empty() || body.id > all_.back().id);
  std::size_t parent = all_.size();
  if (body.parent != 0) {
    const Body* found = find(body.parent);
    SYNC_ASSERT(found != nullptr);
    parent = static_cast<std::size_t>(found - all_.data());
  }
  next_id_ = body.id + 1;
  all_.push_back(std::move(body));
  parents_.push_back(parent);
  Body& added = all_.back();
  added.absolute = added.relative;
  if (added.parent != 0) {
    added.absolute.position = all_[parent].absolute.position + added.relative.position;
    added.absolute.velocity = all_[parent].absolute.velocity + added.relative.velocity;
  }
}

void Bodies::step(float dt) {
  for (std::size_t i = 0; i < all_.size(); ++i) {
    Body& body = all_[i];
    if (body.parent == 0) continue;  // the star rests at the origin
    const Body& parent = all_[parents_[i]];
    body.relative = leapfrog_step(body.relative, gravity_ * parent.mass, dt);
    body.absolute.position = parent.absolute.position + body.relative.position;
    body.absolute.velocity = parent.absolute.velocity + body.relative.velocity;
  }
}

const Body* Bodies::find(std::uint32_t id) const {
  const auto at =
      std::lower_bound(all_.begin(), all_.end(), id, [](const Body& b, std::uint32_t v) { return b.id < v; });
  return at != all_.end() && at->id == id ? &*at : nullptr;
}

const Body& Bodies::attractor_of(const Vec3f& position) const {
  SYNC_ASSERT(!all_.empty());
  const Body* best = &all_.front();
  float best_pull = 0;
  for (std::size_t i = 1; i < all_.size(); ++i) {
    const Body& body = all_[i];
    if (body.body_type != BodyType::kPlanet) continue;
    const float r2 = length_squared(position - body.absolute.position);
    // Hill sphere: r^3 < a^3 m / 3M, compared as cubes to do without a cube root.
    const float a = length(body.relative.position);
    if (r2 * std::sqrt(r2) >= a * a * a * body.mass / (3 * all_[parents_[i]].mass)) continue;
    const float pull = body.mass / r2;
    if (pull > best_pull) {
      best = &body;
      best_pull = pull;
    }
  }
  return *best;
}

const Body* Bodies::find_touching(const Vec3f& position, float radius) const {
  for (const Body& body : all_) {
    const float reach = body.radius + radius;
    if (is_heavy(body.body_type) && length_squared(position - body.absolute.position) < reach * reach) return &body;
  }
  return nullptr;
}

}  // namespace libsync::server
