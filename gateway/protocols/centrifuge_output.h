// Replies and pushes of one call to one client, put together into frames. Pure.
#pragma once

#include <string>

#include "gateway/protocols/centrifuge_codec.h"

namespace sluice::gateway {

class CentrifugeOutput {
 public:
  CentrifugeOutput(ClientSession& session, const CentrifugeCodec& codec, ProtocolActions& actions)
      : session_(session), codec_(codec), actions_(actions) {}
  ~CentrifugeOutput() { flush(); }
  CentrifugeOutput(const CentrifugeOutput&) = delete;
  CentrifugeOutput& operator=(const CentrifugeOutput&) = delete;

  void add(const centrifuge::Reply& reply);
  /// What is held leaves: before anything that has to come behind it (a channel's messages, a
  /// close).
  void flush();

 private:
  ClientSession& session_;
  const CentrifugeCodec& codec_;
  ProtocolActions& actions_;
  std::string frame_;
  std::size_t replies_ = 0;
};

}  // namespace sluice::gateway
