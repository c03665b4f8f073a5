#include "gateway/balancer_state.h"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

TEST(BalancerState, AsHaproxySaysIt) {
  // Recorded from 2.6.12.
  EXPECT_TRUE(gives_clients(
      "UP; address=127.0.0.1; port=23101; name=gw/g1; node=vm; weight=100/100; scur=0/0; qcur=0"));
  EXPECT_TRUE(gives_clients(
      "UP 1/3; address=127.0.0.1; port=23101; name=gw/g1; node=vm; weight=100/100; scur=0/0"));
  EXPECT_FALSE(gives_clients(
      "DOWN 1/2; address=127.0.0.1; port=23101; name=gw/g1; node=vm; weight=100/0; scur=0/0"));
  // Drained by an operator, the only one of its backend.
  EXPECT_FALSE(gives_clients(
      "UP; address=127.0.0.1; port=23101; name=gw/g1; node=vm; weight=100/0; scur=0/0; qcur=0"));
  // Its weight set to 0.
  EXPECT_FALSE(gives_clients(
      "UP; address=127.0.0.1; port=23101; name=gw/g1; node=vm; weight=0/0; scur=0/0; qcur=0"));
}

TEST(BalancerState, AfterA404) {
  EXPECT_FALSE(gives_clients("NOLB; name=gw/g1; node=vm; weight=100/300; scur=0/0; qcur=0"));
  EXPECT_FALSE(gives_clients("NOLB 1/2; name=gw/g1; node=vm; weight=100/300; scur=0/0; qcur=0"));
}

TEST(BalancerState, WhatCantBeReadIsTakenForUp) {
  EXPECT_TRUE(gives_clients("UP"));
  EXPECT_TRUE(gives_clients("UP; weight="));
  EXPECT_TRUE(gives_clients("UP; weight=x/y"));
  EXPECT_TRUE(gives_clients("UP; weight=5"));
  EXPECT_TRUE(gives_clients("UP; weight=5/"));
  EXPECT_TRUE(gives_clients("UP; weight=99999999999999999999/1"));
  EXPECT_FALSE(gives_clients(""));
}

}  // namespace
}  // namespace sluice::gateway
