#include "genesis.h"

#include <array>
#include <cmath>
#include <string_view>

namespace libsync::traces {
namespace {

constexpr std::array<std::string_view, 24> kSyllables = {"ke", "tha", "ra",  "vor", "il", "su", "mon", "dre",
                                                         "la", "qui", "zen", "or",  "pa", "ti", "bel", "gor",
                                                         "na", "es",  "hy",  "lun", "ce", "ra", "fo",  "mir"};
constexpr std::array<std::string_view, 40> kWords = {
    "anyone", "trade",   "iron",     "for",   "helium", "need",   "escort", "near",  "the",     "gate",
    "attack", "moving",  "south",    "ready", "when",   "you",    "are",    "good",  "game",    "who",
    "owns",   "station", "my",       "fleet", "is",     "late",   "hold",   "until", "morning", "send",
    "more",   "energy",  "research", "done",  "next",   "planet", "lost",   "two",   "ships",   "today"};

template <std::size_t N>
std::string_view pick(Random& random, const std::array<std::string_view, N>& words) {
  return words[random.below(N)];
}

}  // namespace

std::string make_name(Random& random) {
  std::string name;
  const int syllables = random.between(3, 8);
  for (int i = 0; i < syllables; ++i) name += pick(random, kSyllables);
  name[0] = static_cast<char>(name[0] - 'a' + 'A');
  if (random.chance(0.6)) name += ' ' + std::to_string(random.between(1, 99));
  return name;
}

std::string make_sentence(Random& random, int words) {
  std::string text;
  for (int i = 0; i < words; ++i) text.append(i == 0 ? "" : " ").append(pick(random, kWords));
  return text + '.';
}

Body make_body(Random& random, std::uint32_t id) {
  Body body;
  body.id = id;
  body.kind = static_cast<fb::BodyKind>(random.between(1, 5));
  body.name = make_name(random);
  if (random.chance(0.25)) body.owner = 1 + random.below(30);
  for (double& x : body.position) x = random.uniform(-5000, 5000);
  for (double& v : body.velocity) v = random.uniform(-2, 2);
  body.mass = random.uniform(1, 500);
  body.radius = static_cast<float>(random.between(8, 800)) / 16;
  body.population = 1000 + random.below(4'000'000);
  body.hp = random.between(20, 99);
  body.temperature = static_cast<float>(random.between(640, 7040)) / 16;
  if (random.chance(0.3)) body.shield = 100 + random.below(800);
  for (std::uint32_t& amount : body.resources) amount = 500 + random.below(60'000);
  return body;
}

Player make_player(Random& random, std::uint32_t id, std::uint32_t items) {
  Player player;
  player.id = id;
  player.name = make_name(random);
  player.credits = random.between(2'000, 4'000'000);
  player.score = 10 + random.below(100'000);
  player.status = "mining " + std::to_string(random.between(1000, 9999)) + " of 10000 at ";
  player.status += make_name(random);
  for (std::uint32_t i = 0; i < items; ++i) {
    const auto kind = static_cast<std::uint16_t>(1 + i * 7 + random.below(7));
    const auto count = static_cast<std::uint16_t>(1 + random.below(400));
    player.inventory.emplace_back(kind, count);
  }
  return player;
}

Event make_event(Random& random, const World& world, std::uint32_t id) {
  Event event;
  event.id = id;
  event.tick = world.tick;
  event.kind = static_cast<std::uint8_t>(random.between(1, 12));
  event.body = world.bodies[random.below(static_cast<std::uint32_t>(world.bodies.size()))].id;
  event.player = world.players[random.below(static_cast<std::uint32_t>(world.players.size()))].id;
  event.amount = random.between(1, 900);
  return event;
}

ChatLine make_chat_line(Random& random, const World& world, std::uint32_t id) {
  ChatLine line;
  line.id = id;
  line.player = world.players[random.below(static_cast<std::uint32_t>(world.players.size()))].id;
  line.time_ms = world.time_ms;
  line.text = make_sentence(random, random.between(4, 13));
  return line;
}

World make_world(Random& random, const Census& census, Motion motion) {
  World world;
  world.motion = motion;
  world.tick = 70'000;
  world.time_ms = 7'000'000;
  std::uint32_t id = 1000;
  for (std::uint32_t i = 0; i < census.bodies; ++i)
    world.bodies.push_back(make_body(random, id += 1 + random.below(40)));
  for (std::uint32_t i = 0; i < census.players; ++i) {
    world.players.push_back(make_player(random, i + 1, census.items_per_player));
  }
  for (std::uint32_t i = 0; i < census.research; ++i) {
    Research node;
    node.id = static_cast<std::uint16_t>(i + 1);
    node.name = make_name(random);
    node.level = static_cast<std::uint8_t>(random.between(1, 20));
    node.progress = static_cast<float>(random.between(1, 255)) / 256;
    node.cost = random.between(100, 50'000);
    world.research.push_back(node);
  }
  for (std::uint32_t i = 0; i < census.events; ++i) world.events.push_back(make_event(random, world, 500 + i));
  for (std::uint32_t i = 0; i < census.chat_lines; ++i) world.chat.push_back(make_chat_line(random, world, 900 + i));
  return world;
}

}  // namespace libsync::traces
