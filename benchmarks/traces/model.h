// model.h: the state of a benchmark game as the game itself holds it, before it becomes a FlatBuffer.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "trace_world_generated.h"

namespace libsync::traces {

// How positions and velocities of bodies leave the game.
enum class Motion : std::uint8_t { kDouble, kFloat, kFixed };

using Vector = std::array<double, 3>;

struct Body {
  std::uint32_t id = 0;
  fb::BodyKind kind = fb::BodyKind::kAsteroid;
  std::string name;
  std::uint32_t owner = 0;
  Vector position{};  // with Motion::kFixed whole numbers
  Vector velocity{};
  double mass = 0;
  float radius = 0;
  std::uint32_t population = 0;
  std::int32_t hp = 100;
  float temperature = 0;
  std::uint32_t shield = 0;
  std::array<std::uint32_t, 5> resources{};
};

struct Player {
  std::uint32_t id = 0;
  std::string name;
  double credits = 0;
  std::uint32_t score = 0;
  std::string status;
  std::vector<fb::Item> inventory;
};

struct Research {
  std::uint16_t id = 0;
  std::string name;
  std::uint8_t level = 0;
  float progress = 0;
  double cost = 0;
};

struct Event {
  std::uint32_t id = 0;
  std::uint32_t tick = 0;
  std::uint8_t kind = 0;
  std::uint32_t body = 0;
  std::uint32_t player = 0;
  std::int32_t amount = 0;
};

struct ChatLine {
  std::uint32_t id = 0;
  std::uint32_t player = 0;
  std::uint64_t time_ms = 0;
  std::string text;
};

struct World {
  Motion motion = Motion::kDouble;
  std::uint32_t tick = 0;
  std::uint64_t time_ms = 0;
  bool has_viewer = false;
  Vector viewer{};
  std::vector<Body> bodies;
  std::vector<Player> players;
  std::vector<Research> research;
  std::vector<Event> events;
  std::vector<ChatLine> chat;
  std::vector<fb::Cube> cubes;
};

}  // namespace libsync::traces
