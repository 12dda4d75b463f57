// economy.h: the numbers of the game: what a player begins with, what bodies cost and bring.
#pragma once

#include <array>
#include <cstdint>

#include "world_generated.h"

namespace libsync::server {

using world::BodyType;

// Of energy, minerals and science: whole units, or units per second.
struct Amounts {
  double energy = 0;
  double minerals = 0;
  double science = 0;

  Amounts& operator+=(const Amounts& other) {
    energy += other.energy;
    minerals += other.minerals;
    science += other.science;
    return *this;
  }
  bool operator==(const Amounts&) const = default;
};
inline Amounts operator*(const Amounts& a, double factor) {
  return {a.energy * factor, a.minerals * factor, a.science * factor};
}

// Enough for ten asteroids and the first research at once.
inline constexpr Amounts kStartAmounts{200, 200, 30};
inline constexpr Amounts kBaseRates{2, 2, 0.5};
inline constexpr std::uint32_t kStartAllowance = 12;
// Each body of a type makes the next one of that type dearer by this part of its first price.
inline constexpr double kPriceGrowth = 0.05;

// What a body that a player creates is and does.
struct BodyTraits {
  BodyType body_type;
  const char* word;  // "asteroid"
  bool unlocked_at_start;
  float mass;
  float radius;
  double energy;    // first price
  double minerals;  // first price
  Amounts income;   // per second, for as long as the body exists
};

// By type. The star is not among them: the universe has one.
inline constexpr std::array<BodyTraits, 5> kBodyTraits{{
    {BodyType::kPlanet, "planet", false, 5, 2.0F, 600, 900, {1, 1, 0.5}},
    {BodyType::kMoon, "moon", false, 0.02F, 0.5F, 150, 250, {0.1, 0.5, 0}},
    {BodyType::kAsteroid, "asteroid", true, 0.001F, 0.3F, 15, 15, {0, 0.1, 0}},
    {BodyType::kComet, "comet", true, 0.0005F, 0.2F, 20, 10, {0, 0, 0.05}},
    {BodyType::kStation, "station", false, 0.0001F, 0.25F, 60, 90, {0.4, 0, 0.1}},
}};

// Null for the star and for types that this version does not know.
inline const BodyTraits* find_traits(BodyType type) {
  for (const BodyTraits& traits : kBodyTraits) {
    if (traits.body_type == type) return &traits;
  }
  return nullptr;
}

}  // namespace libsync::server
