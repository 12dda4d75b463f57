#include "libsync/patch_context.h"

#include <utility>

#include "codec/codec.h"

namespace libsync {

PatchContext::PatchContext() = default;
PatchContext::PatchContext(const PatchContext& other)
    : context_(other.context_ != nullptr ? std::make_unique<codec::Context>(*other.context_) : nullptr),
      at_(other.at_) {}
PatchContext& PatchContext::operator=(const PatchContext& other) {
  if (this == &other) return *this;
  at_ = other.at_;
  if (context_ != nullptr && other.context_ != nullptr) {
    *context_ = *other.context_;
  } else {
    context_ = other.context_ != nullptr ? std::make_unique<codec::Context>(*other.context_) : nullptr;
  }
  return *this;
}
PatchContext::PatchContext(PatchContext&&) noexcept = default;
PatchContext& PatchContext::operator=(PatchContext&&) noexcept = default;
PatchContext::~PatchContext() = default;

void PatchContext::close() { context_ = nullptr; }

std::unique_ptr<codec::Context> PatchContext::release() { return std::move(context_); }

void PatchContext::hold(std::unique_ptr<codec::Context> context, Digest at) {
  context_ = std::move(context);
  at_ = at;
}

}  // namespace libsync
