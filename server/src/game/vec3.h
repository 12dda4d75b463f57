// vec3.h: three floats, and the arithmetic that orbits need. Only + - * / and sqrt, which IEEE 754 rounds exactly, so
// that every machine computes the same universe. Compile with -ffp-contract=off where the processor has fused
// multiply-add.
#pragma once

#include <cmath>

namespace libsync::server {

struct Vec3f {
  float x = 0;
  float y = 0;
  float z = 0;
  bool operator==(const Vec3f&) const = default;
};

inline Vec3f operator+(const Vec3f& a, const Vec3f& b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
inline Vec3f operator-(const Vec3f& a, const Vec3f& b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline Vec3f operator*(const Vec3f& a, float factor) { return {a.x * factor, a.y * factor, a.z * factor}; }

inline float length_squared(const Vec3f& a) { return a.x * a.x + a.y * a.y + a.z * a.z; }
inline float length(const Vec3f& a) { return std::sqrt(length_squared(a)); }
// Requires: `a` is not zero.
inline Vec3f unit(const Vec3f& a) { return a * (1.0F / length(a)); }
inline bool is_finite(const Vec3f& a) { return std::isfinite(a.x) && std::isfinite(a.y) && std::isfinite(a.z); }

}  // namespace libsync::server
