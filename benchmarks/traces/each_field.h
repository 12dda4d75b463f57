// each_field.h: the fields of every entity, in the order of their numbers, for field_delta.cpp alone.
//
// each_field(before, after, motion, visit) calls visit(a, b) per field with its value in both: scalars as they stand in
// the FlatBuffer, strings, or spans of bytes.
#pragma once

#include <span>

#include "model.h"

namespace libsync::traces {

using FieldBytes = std::span<const std::uint8_t>;

template <typename T>
FieldBytes field_bytes(const T* values, std::size_t count) {
  return {reinterpret_cast<const std::uint8_t*>(values), count * sizeof(T)};
}

template <typename Visit>
void each_component(const Vector& a, const Vector& b, Motion motion, Visit& visit) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    switch (motion) {
      case Motion::kDouble: visit(a[i], b[i]); break;
      case Motion::kFloat: visit(static_cast<float>(a[i]), static_cast<float>(b[i])); break;
      case Motion::kFixed: visit(static_cast<std::int32_t>(a[i]), static_cast<std::int32_t>(b[i])); break;
    }
  }
}

template <typename Visit>
void each_field(const Body& a, const Body& b, Motion motion, Visit& visit) {
  visit(a.id, b.id);
  visit(a.kind, b.kind);
  visit(a.name, b.name);
  visit(a.owner, b.owner);
  each_component(a.position, b.position, motion, visit);
  each_component(a.velocity, b.velocity, motion, visit);
  visit(a.mass, b.mass);
  visit(a.radius, b.radius);
  visit(a.population, b.population);
  visit(a.hp, b.hp);
  visit(a.temperature, b.temperature);
  visit(a.shield, b.shield);
  for (std::size_t i = 0; i < a.resources.size(); ++i) visit(a.resources[i], b.resources[i]);
}

template <typename Visit>
void each_field(const Player& a, const Player& b, Motion, Visit& visit) {
  visit(a.id, b.id);
  visit(a.name, b.name);
  visit(a.credits, b.credits);
  visit(a.score, b.score);
  visit(a.status, b.status);
  visit(field_bytes(a.inventory.data(), a.inventory.size()), field_bytes(b.inventory.data(), b.inventory.size()));
}

template <typename Visit>
void each_field(const Research& a, const Research& b, Motion, Visit& visit) {
  visit(a.id, b.id);
  visit(a.name, b.name);
  visit(a.level, b.level);
  visit(a.progress, b.progress);
  visit(a.cost, b.cost);
}

template <typename Visit>
void each_field(const Event& a, const Event& b, Motion, Visit& visit) {
  visit(a.id, b.id);
  visit(a.tick, b.tick);
  visit(a.kind, b.kind);
  visit(a.body, b.body);
  visit(a.player, b.player);
  visit(a.amount, b.amount);
}

template <typename Visit>
void each_field(const ChatLine& a, const ChatLine& b, Motion, Visit& visit) {
  visit(a.id, b.id);
  visit(a.player, b.player);
  visit(a.time_ms, b.time_ms);
  visit(a.text, b.text);
}

template <typename Visit>
void each_field(const fb::Cube& a, const fb::Cube& b, Motion, Visit& visit) {
  visit(a.x(), b.x());
  visit(a.y(), b.y());
  visit(a.z(), b.z());
  visit(a.rotation_x(), b.rotation_x());
  visit(a.rotation_y(), b.rotation_y());
  visit(a.rotation_z(), b.rotation_z());
  visit(a.rotation_w(), b.rotation_w());
  visit(a.touched(), b.touched());
}

}  // namespace libsync::traces
