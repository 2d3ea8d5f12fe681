# SPDX-License-Identifier: Apache-2.0
# The Ruby peer's client: each interop case is one method of Cases.
require_relative 'contract'

# What the server did, and what the contract says instead.
class Differs < StandardError; end

# The requests of a call, which a case sends while it runs.
class Requests
  def initialize
    @queue = Queue.new
  end

  def send(request)
    @queue.push(request)
  end

  def half_close
    @queue.close
  end

  def each
    return enum_for(:each) unless block_given?

    while (request = @queue.pop)
      yield request
    end
  end
end

class Cases
  TIMEOUT = 10 # seconds; every call has a deadline, so that one that hangs says so

  def initialize(address)
    @test = stub(Contract::TestService, address)
    @unimplemented = stub(Contract::UnimplementedService, address)
  end

  def empty_unary
    check('response', @test.empty_call(Contract::Empty.new), Contract::Empty.new)
  end

  def large_unary
    check_body(@test.unary_call(large_request).payload, Contract::LARGE_RESPONSE)
  end

  def client_streaming
    requests = Contract::REQUEST_SIZES.map do |size|
      Contract::StreamingInputCallRequest.new(payload: Contract.zeros(size))
    end
    response = @test.streaming_input_call(requests)
    check('aggregated_payload_size', response.aggregated_payload_size, Contract::REQUEST_SIZES.sum)
  end

  def server_streaming
    wanted = Contract::RESPONSE_SIZES.map { |size| Contract::ResponseParameters.new(size: size) }
    request = Contract::StreamingOutputCallRequest.new(response_parameters: wanted)
    responses = @test.streaming_output_call(request).to_a
    check('responses', responses.length, wanted.length)
    responses.zip(Contract::RESPONSE_SIZES) { |response, size| check_body(response.payload, size) }
  end

  def ping_pong
    requests = Requests.new
    sizes = Contract::REQUEST_SIZES.zip(Contract::RESPONSE_SIZES)
    received = 0
    requests.send(ping(*sizes[0]))
    @test.full_duplex_call(requests.each).each do |response|
      check_body(response.payload, sizes[received][1])
      received += 1
      received < sizes.length ? requests.send(ping(*sizes[received])) : requests.half_close
    end
    check('responses', received, sizes.length)
  end

  def empty_stream
    check('responses', @test.full_duplex_call([]).to_a.length, 0)
  end

  def custom_metadata
    metadata = { Contract::INITIAL_KEY => Contract::INITIAL_VALUE,
                 Contract::TRAILING_KEY => Contract::TRAILING_VALUE }
    call = @test.unary_call(large_request, metadata: metadata, return_op: true)
    check_body(call.execute.payload, Contract::LARGE_RESPONSE)
    check_metadata('unary', call)

    requests = [ping(Contract::LARGE_REQUEST, Contract::LARGE_RESPONSE)]
    call = @test.full_duplex_call(requests, metadata: metadata, return_op: true)
    responses = call.execute.to_a
    check('responses', responses.length, 1)
    check_body(responses[0].payload, Contract::LARGE_RESPONSE)
    check_metadata('duplex', call)
  end

  def status_code_and_message
    expect_echoed_status(Contract::STATUS_MESSAGE)
    wanted = Contract::EchoStatus.new(code: 2, message: Contract::STATUS_MESSAGE)
    request = Contract::StreamingOutputCallRequest.new(response_status: wanted)
    expect_status(:UNKNOWN, Contract::STATUS_MESSAGE) { @test.full_duplex_call([request]).to_a }
  end

  def special_status_message
    expect_echoed_status(Contract::SPECIAL_MESSAGE)
  end

  def unimplemented_method
    expect_status(:UNIMPLEMENTED) { @test.unimplemented_call(Contract::Empty.new) }
  end

  def unimplemented_service
    expect_status(:UNIMPLEMENTED) { @unimplemented.unimplemented_call(Contract::Empty.new) }
  end

  def timeout_on_sleeping_server
    empty_unary # connects, so that the call has its millisecond for itself
    requests = Requests.new
    payload = Contract.zeros(Contract::REQUEST_SIZES[0])
    requests.send(Contract::StreamingOutputCallRequest.new(payload: payload))
    expect_status(:DEADLINE_EXCEEDED) do
      @test.full_duplex_call(requests.each, deadline: Time.now + 0.001).to_a
    end
    requests.half_close
  end

  def cancel_after_begin
    call = nil
    requests = Enumerator.new { call.cancel } # asked for once the headers are sent
    call = @test.streaming_input_call(requests, return_op: true)
    expect_status(:CANCELLED) { call.execute }
  end

  def cancel_after_first_response
    requests = Requests.new
    requests.send(ping(Contract::REQUEST_SIZES[0], Contract::RESPONSE_SIZES[0]))
    call = @test.full_duplex_call(requests.each, return_op: true)
    expect_status(:CANCELLED) do
      call.execute.each do |response|
        check_body(response.payload, Contract::RESPONSE_SIZES[0])
        call.cancel
      end
    end
    requests.half_close
  end

  private

  def stub(service, address)
    service.rpc_stub_class.new(address, :this_channel_is_insecure, timeout: TIMEOUT)
  end

  def large_request
    Contract::SimpleRequest.new(response_size: Contract::LARGE_RESPONSE,
                                payload: Contract.zeros(Contract::LARGE_REQUEST))
  end

  def ping(request_size, response_size)
    Contract::StreamingOutputCallRequest.new(
      response_parameters: [Contract::ResponseParameters.new(size: response_size)],
      payload: Contract.zeros(request_size)
    )
  end

  def check(what, got, expected)
    raise Differs, "#{what}: got #{got.inspect}, expected #{expected.inspect}" if got != expected
  end

  def check_body(payload, size)
    check('body length', payload.body.length, size)
    check('body is zeros', payload.body.count("\0"), size)
  end

  def check_metadata(which, call)
    check("#{which} #{Contract::INITIAL_KEY}", call.metadata[Contract::INITIAL_KEY],
          Contract::INITIAL_VALUE)
    check("#{which} #{Contract::TRAILING_KEY}", call.trailing_metadata[Contract::TRAILING_KEY],
          Contract::TRAILING_VALUE)
  end

  def expect_echoed_status(message)
    wanted = Contract::EchoStatus.new(code: 2, message: message)
    request = Contract::SimpleRequest.new(response_status: wanted)
    expect_status(:UNKNOWN, message) { @test.unary_call(request) }
  end

  # Runs what must fail with this status.
  def expect_status(code, message = nil)
    yield
  rescue GRPC::BadStatus => e
    check('status', e.code, GRPC::Core::StatusCodes.const_get(code))
    check('status message', e.details.b, message.b) if message
  else
    raise Differs, "the call ended OK, expected #{code}"
  end
end

flags = Contract.flags
name = flags.fetch('test_case')
unless Cases.public_instance_methods(false).include?(name.to_sym)
  abort("unknown test case '#{name}'")
end
begin
  Cases.new(flags.fetch('address')).public_send(name)
rescue Differs, GRPC::BadStatus => e
  abort("#{name}: #{e.message}")
end
