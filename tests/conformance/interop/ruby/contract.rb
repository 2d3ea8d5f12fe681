# SPDX-License-Identifier: Apache-2.0
# The interop contract: its numbers, names and methods. Its messages are what protoc has generated.
require 'grpc'

module Contract
  # --name=value of the command line.
  def self.flags
    ARGV.to_h { |argument| argument.delete_prefix('--').split('=', 2) }
  end

  $LOAD_PATH.unshift(flags.fetch('generated'))
  require 'grpc/testing/empty_pb'
  require 'grpc/testing/messages_pb'
  Grpc::Testing.constants.each { |name| const_set(name, Grpc::Testing.const_get(name)) }

  LARGE_REQUEST = 271_828
  LARGE_RESPONSE = 314_159
  REQUEST_SIZES = [27_182, 8, 1828, 45_904].freeze
  RESPONSE_SIZES = [31_415, 9, 2653, 58_979].freeze
  INITIAL_KEY = 'x-grpc-test-echo-initial'
  INITIAL_VALUE = 'test_initial_metadata_value'
  TRAILING_KEY = 'x-grpc-test-echo-trailing-bin'
  TRAILING_VALUE = "\xab\xab\xab".b
  STATUS_MESSAGE = 'test status message'
  SPECIAL_MESSAGE = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n"

  def self.zeros(size)
    Payload.new(body: "\0".b * size)
  end

  class TestService
    include GRPC::GenericService
    self.marshal_class_method = :encode
    self.unmarshal_class_method = :decode
    self.service_name = 'grpc.testing.TestService'
    rpc :EmptyCall, Empty, Empty
    rpc :UnaryCall, SimpleRequest, SimpleResponse
    rpc :StreamingOutputCall, StreamingOutputCallRequest, stream(StreamingOutputCallResponse)
    rpc :StreamingInputCall, stream(StreamingInputCallRequest), StreamingInputCallResponse
    rpc :FullDuplexCall, stream(StreamingOutputCallRequest), stream(StreamingOutputCallResponse)
    rpc :UnimplementedCall, Empty, Empty
  end

  class UnimplementedService
    include GRPC::GenericService
    self.marshal_class_method = :encode
    self.unmarshal_class_method = :decode
    self.service_name = 'grpc.testing.UnimplementedService'
    rpc :UnimplementedCall, Empty, Empty
  end
end
