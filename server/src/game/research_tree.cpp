#include "game/research_tree.h"

#include <array>

namespace libsync::server {
namespace {

constexpr std::array<std::uint16_t, 1> kAfter1{1};
constexpr std::array<std::uint16_t, 1> kAfter2{2};
constexpr std::array<std::uint16_t, 1> kAfter4{4};
constexpr std::array<std::uint16_t, 2> kAfter5And6{5, 6};
constexpr std::array<std::uint16_t, 2> kAfter3And5{3, 5};
constexpr std::array<std::uint16_t, 2> kAfter1And8{1, 8};
constexpr std::array<std::uint16_t, 2> kAfter4And8{4, 8};
constexpr std::array<std::uint16_t, 2> kAfter7And9{7, 9};

// The first one takes 15 seconds and is paid from what a player begins with, so that a newcomer sees an end soon.
constexpr std::array<ResearchNode, 12> kTree{{
    {1, "Solar collectors", "+2 energy per second", {}, 10, 20, 15'000, {2, 0, 0}},
    {2, "Ore refining", "+2 minerals per second", {}, 15, 30, 20'000, {0, 2, 0}},
    {3, "Observatory", "+1 science per second", {}, 20, 30, 20'000, {0, 0, 1}},
    {4, "Fleet logistics", "12 more bodies allowed", kAfter2, 30, 60, 30'000, {}, 12},
    {5, "Orbital assembly", "stations unlocked", kAfter1, 40, 80, 30'000, {}, 0, 1, BodyType::kStation},
    {6, "Mass drivers", "bodies cost 20 % less", kAfter2, 60, 120, 45'000, {}, 0, 0.8},
    {7, "Moon shaping", "moons unlocked", kAfter5And6, 120, 300, 60'000, {}, 0, 1, BodyType::kMoon},
    {8, "Deep space network", "+3 science per second", kAfter3And5, 150, 250, 60'000, {0, 0, 3}},
    {9, "Fusion plants", "+10 energy per second", kAfter1And8, 300, 400, 90'000, {10, 0, 0}},
    {10, "Asteroid swarms", "60 more bodies allowed", kAfter4And8, 400, 500, 120'000, {}, 60},
    {11, "Planet forging", "planets unlocked", kAfter7And9, 900, 2000, 180'000, {}, 0, 1, BodyType::kPlanet},
    {12, "Deep mining", "+8 minerals per second", kAfter4, 200, 300, 60'000, {0, 8, 0}},
}};

}  // namespace

std::span<const ResearchNode> research_tree() { return kTree; }

const ResearchNode* find_research(std::uint16_t id) { return id >= 1 && id <= kTree.size() ? &kTree[id - 1] : nullptr; }

}  // namespace libsync::server
