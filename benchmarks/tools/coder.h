// coder.h: something that turns a baseline into a target by a patch: libsync, and what it is compared with.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libsync/types.h"

namespace libsync::tools {

// Per pair prepare(); then some times before_encode(), encode(); then some times before_apply(), apply(), result().
// What is timed is encode() and apply() alone.
class Coder {
 public:
  virtual ~Coder() = default;

  virtual std::string name() const = 0;
  // A note for people: what a figure does not tell. Empty: nothing.
  virtual std::string note() const { return {}; }
  // Whether its time means anything; programs that are started anew each time are measured in bytes only.
  virtual bool is_timed() const { return true; }
  // Whether it must see every snapshot in order, once, and knows no baselines.
  virtual bool is_stream() const { return false; }

  // Both views outlive the work on this pair.
  virtual void prepare(BytesView baseline, BytesView target) = 0;
  virtual void before_encode() {}
  // Replaces `patch`. False: it failed.
  virtual bool encode(Bytes& patch) = 0;
  virtual void before_apply() {}
  virtual bool apply(BytesView patch) = 0;
  // Of the last apply(); valid until the next call of anything.
  virtual BytesView result() const = 0;
};

// What most coders have.
class PairCoder : public Coder {
 public:
  void prepare(BytesView baseline, BytesView target) override {
    baseline_ = baseline;
    target_ = target;
    result_.resize(target.size());
  }
  BytesView result() const override { return result_; }

 protected:
  BytesView baseline_;
  BytesView target_;
  Bytes result_;
};

using Coders = std::vector<std::unique_ptr<Coder>>;

}  // namespace libsync::tools
