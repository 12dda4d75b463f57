// vectors.h: what the files of this folder make: golden vectors, file by file. See make_vectors.cpp.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace libsync::vectors {

// Names and values in their order.
using Object = std::vector<std::pair<std::string, std::string>>;

std::vector<Object> digests();
// `folder`: where scripts.txt is.
std::vector<Object> patches(const std::string& folder);
std::vector<Object> frames();
std::vector<Object> messages();

}  // namespace libsync::vectors
