#include "page.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>

#include "libsync/fingerprint.h"

namespace libsync::server {
namespace {

constexpr std::size_t kMaxPageBytes = 64u << 20;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode_path(std::string_view target) {
  target = target.substr(0, target.find_first_of("?#"));
  std::string path;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i] != '%') {
      path += target[i];
      continue;
    }
    if (i + 2 >= target.size()) return std::nullopt;
    const int high = hex_value(target[i + 1]);
    const int low = hex_value(target[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    path += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return path;
}

std::string make_etag(const std::string& bytes) {
  const std::uint64_t hash = xxh3_64(std::as_bytes(std::span(bytes)));
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string etag = "\"";
  for (int shift = 60; shift >= 0; shift -= 4) etag += kHex[hash >> shift & 15];
  return etag + '"';
}

}  // namespace

std::string_view content_type_of(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 15> kTypes = {{
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".json", "application/json"},
      {".map", "application/json"},
      {".webmanifest", "application/manifest+json"},
      {".wasm", "application/wasm"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".jpg", "image/jpeg"},
      {".webp", "image/webp"},
      {".ico", "image/x-icon"},
      {".woff2", "font/woff2"},
      {".txt", "text/plain; charset=utf-8"},
  }};
  for (const auto& [ending, type] : kTypes) {
    if (name.ends_with(ending)) return type;
  }
  return "application/octet-stream";
}

Page::Page(const std::string& directory) {
  namespace fs = std::filesystem;
  if (directory.empty() || !fs::is_directory(directory)) return;
  std::size_t total_bytes = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_symlink() || !entry.is_regular_file()) continue;
    total_bytes += entry.file_size();
    if (total_bytes > kMaxPageBytes) throw std::runtime_error(directory + " holds more than 64 MiB");
    std::ifstream in(entry.path(), std::ios::binary);
    if (!in) throw std::runtime_error("cannot read " + entry.path().string());
    auto file = std::make_shared<PageFile>();
    file->bytes.assign(std::istreambuf_iterator<char>(in), {});
    file->content_type = content_type_of(entry.path().filename().string());
    file->etag = make_etag(file->bytes);
    files_["/" + entry.path().lexically_relative(directory).generic_string()] = std::move(file);
  }
}

std::shared_ptr<const PageFile> Page::find(std::string_view target) const {
  std::optional<std::string> path = decode_path(target);
  if (!path) return nullptr;
  if (path->ends_with('/')) *path += "index.html";
  const auto found = files_.find(*path);
  return found == files_.end() ? nullptr : found->second;
}

}  // namespace libsync::server
