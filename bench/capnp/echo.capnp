# SPDX-License-Identifier: Apache-2.0
# The benchmark's service for Cap'n Proto; a stream is a capability with a streaming method.
@0xe6a1f5c0b9d27843;

$import "/capnp/c++.capnp".namespace("bench::capnproto");

interface Sink {
  push @0 (payload :Data) -> stream;
  done @1 () -> ();
}

interface Echo {
  unary @0 (payload :Data) -> (payload :Data);
  # Pushes as many messages as it is told to into the sink.
  expand @1 (messages :UInt64, size :UInt32, sink :Sink) -> ();
  # The sink to push requests into.
  collect @2 () -> (sink :Sink);
}
