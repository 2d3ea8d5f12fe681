# SPDX-License-Identifier: Apache-2.0
# The Ruby peer's server: the interop TestService on a Unix socket. A method that it lacks is
# UNIMPLEMENTED.
require_relative 'contract'

class TestService < Contract::TestService
  def empty_call(_request, _call)
    Contract::Empty.new
  end

  def unary_call(request, call)
    echo_metadata(call)
    echo_status(request)
    Contract::SimpleResponse.new(payload: Contract.zeros(request.response_size))
  end

  def streaming_input_call(call)
    total = call.each_remote_read.sum { |request| request.payload.body.length }
    Contract::StreamingInputCallResponse.new(aggregated_payload_size: total)
  end

  def streaming_output_call(request, call)
    echo_metadata(call)
    answers([request])
  end

  def full_duplex_call(requests, call)
    echo_metadata(call)
    answers(requests)
  end

  private

  # Made one by one, as the requests come.
  def answers(requests)
    Enumerator.new do |answers|
      requests.each do |request|
        echo_status(request)
        request.response_parameters.each do |wanted|
          sleep(wanted.interval_us / 1e6)
          answers << Contract::StreamingOutputCallResponse.new(payload: Contract.zeros(wanted.size))
        end
      end
    end
  end

  def echo_metadata(call)
    initial, trailing = call.metadata.values_at(Contract::INITIAL_KEY, Contract::TRAILING_KEY)
    call.metadata_to_send[Contract::INITIAL_KEY] = initial if initial
    call.output_metadata[Contract::TRAILING_KEY] = trailing if trailing
  end

  def echo_status(request)
    wanted = request.response_status
    return unless wanted && !wanted.code.zero?

    raise GRPC::BadStatus.new_status_exception(wanted.code, wanted.message)
  end
end

address = Contract.flags.fetch('address')
server = GRPC::RpcServer.new(pool_size: 32, poll_period: 1)
server.add_http2_port(address, :this_port_is_insecure)
server.handle(TestService)
Thread.new do
  server.wait_till_running
  puts 'READY'
  $stdout.flush
end
server.run_till_terminated_or_interrupted(['SIGTERM'])
