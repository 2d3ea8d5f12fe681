// SPDX-License-Identifier: Apache-2.0
// The grpc-js peer's client: each interop case is one entry of `cases`.
'use strict';

const { isDeepStrictEqual, promisify } = require('util');
const grpc = require('@grpc/grpc-js');
const { service: healthService } = require('grpc-health-check');
const contract = require('./contract');

/** Thrown when the server does something else than the contract says. */
class Differs extends Error {}

function check(what, got, expected) {
  if (!isDeepStrictEqual(got, expected)) {
    throw new Differs(`${what}: got ${JSON.stringify(got)}, expected ${JSON.stringify(expected)}`);
  }
}

function checkBody(payload, size) {
  check('body length', payload ? payload.body.length : 0, size);
  check('body is zeros', payload ? payload.body.equals(Buffer.alloc(size)) : true, true);
}

function checkStatus(status, code, message) {
  check('status', grpc.status[status.code], grpc.status[code]);
  if (message !== undefined) check('status message', status.details, message);
}

function checkMetadata(which, { headers, status }) {
  check(`${which} ${contract.initialKey}`, headers.get(contract.initialKey),
    [contract.initialValue]);
  check(`${which} ${contract.trailingKey}`,
    status.metadata.get(contract.trailingKey).map((value) => value.toString('hex')),
    [contract.trailingValue.toString('hex')]);
}

/** Every call has a deadline, so that one that hangs says so. */
const options = () => ({ deadline: Date.now() + 10000 });
const noMetadata = () => new grpc.Metadata();

function largeRequest() {
  return {
    response_size: contract.largeResponse,
    payload: contract.zeros(contract.largeRequest),
  };
}

function ping(requestSize, responseSize) {
  return {
    response_parameters: [{ size: responseSize }],
    payload: contract.zeros(requestSize),
  };
}

/** How a call ends. Not events.once(): that one fails when an 'error' event comes first. */
const statusOf = (call) => new Promise((resolve) => { call.on('status', resolve); });

/** Calls a method with a single response; resolves with {response, headers, status, error}. */
async function finishSingle(start) {
  const result = { response: null, headers: null, error: null };
  const call = start((error, response) => {
    result.error = error;
    result.response = response;
  });
  call.on('metadata', (headers) => { result.headers = headers; });
  result.status = await statusOf(call);
  return result;
}

/** Collects a call's responses until its status comes. `onData` may act on each. */
async function finishStream(call, onData = () => {}) {
  const result = { responses: [], headers: null };
  call.on('metadata', (headers) => { result.headers = headers; });
  call.on('error', () => {}); // the status says the same
  call.on('data', (response) => {
    result.responses.push(response);
    onData(result.responses);
  });
  result.status = await statusOf(call);
  return result;
}

function checkResponses(responses, sizes) {
  check('responses', responses.length, sizes.length);
  responses.forEach((response, i) => checkBody(response.payload, sizes[i]));
}

async function expectEchoedStatus(client, message) {
  const request = { response_status: { code: grpc.status.UNKNOWN, message } };
  const { status } = await finishSingle((done) =>
    client.UnaryCall(request, noMetadata(), options(), done));
  checkStatus(status, grpc.status.UNKNOWN, message);
}

const cases = {
  async empty_unary(client) {
    const call = promisify(client.EmptyCall.bind(client));
    check('response', await call({}, noMetadata(), options()), {});
  },

  async large_unary(client) {
    const call = promisify(client.UnaryCall.bind(client));
    const response = await call(largeRequest(), noMetadata(), options());
    checkBody(response.payload, contract.largeResponse);
  },

  async client_streaming(client) {
    const { response, status } = await finishSingle((done) => {
      const call = client.StreamingInputCall(noMetadata(), options(), done);
      contract.requestSizes.forEach((size) => call.write({ payload: contract.zeros(size) }));
      call.end();
      return call;
    });
    checkStatus(status, grpc.status.OK);
    check('aggregated_payload_size', response.aggregated_payload_size,
      contract.requestSizes.reduce((sum, size) => sum + size, 0));
  },

  async server_streaming(client) {
    const request = { response_parameters: contract.responseSizes.map((size) => ({ size })) };
    const { responses, status } =
      await finishStream(client.StreamingOutputCall(request, noMetadata(), options()));
    checkStatus(status, grpc.status.OK);
    checkResponses(responses, contract.responseSizes);
  },

  async ping_pong(client) {
    const call = client.FullDuplexCall(noMetadata(), options());
    const next = (i) => call.write(ping(contract.requestSizes[i], contract.responseSizes[i]));
    next(0);
    const { responses, status } = await finishStream(call, ({ length }) => {
      if (length < contract.requestSizes.length) next(length);
      else call.end();
    });
    checkStatus(status, grpc.status.OK);
    checkResponses(responses, contract.responseSizes);
  },

  async empty_stream(client) {
    const call = client.FullDuplexCall(noMetadata(), options());
    call.end();
    const { responses, status } = await finishStream(call);
    checkStatus(status, grpc.status.OK);
    checkResponses(responses, []);
  },

  async custom_metadata(client) {
    const metadata = new grpc.Metadata();
    metadata.set(contract.initialKey, contract.initialValue);
    metadata.set(contract.trailingKey, contract.trailingValue);

    const unary = await finishSingle((done) =>
      client.UnaryCall(largeRequest(), metadata, options(), done));
    checkStatus(unary.status, grpc.status.OK);
    checkBody(unary.response.payload, contract.largeResponse);
    checkMetadata('unary', unary);

    const call = client.FullDuplexCall(metadata, options());
    call.write(ping(contract.largeRequest, contract.largeResponse));
    call.end();
    const duplex = await finishStream(call);
    checkStatus(duplex.status, grpc.status.OK);
    checkResponses(duplex.responses, [contract.largeResponse]);
    checkMetadata('duplex', duplex);
  },

  async status_code_and_message(client) {
    await expectEchoedStatus(client, contract.statusMessage);
    const call = client.FullDuplexCall(noMetadata(), options());
    const wanted = { code: grpc.status.UNKNOWN, message: contract.statusMessage };
    call.write({ response_status: wanted });
    call.end();
    const { status } = await finishStream(call);
    checkStatus(status, wanted.code, wanted.message);
  },

  async special_status_message(client) {
    await expectEchoedStatus(client, contract.specialMessage);
  },

  async unimplemented_method(client) {
    const { status } = await finishSingle((done) =>
      client.UnimplementedCall({}, noMetadata(), options(), done));
    checkStatus(status, grpc.status.UNIMPLEMENTED);
  },

  async unimplemented_service(client) {
    const other = new contract.UnimplementedService('', grpc.credentials.createInsecure(),
      { channelOverride: client.getChannel() });
    const { status } = await finishSingle((done) =>
      other.UnimplementedCall({}, noMetadata(), options(), done));
    checkStatus(status, grpc.status.UNIMPLEMENTED);
  },

  async timeout_on_sleeping_server(client) {
    await cases.empty_unary(client); // connects, so that the call has its millisecond for itself
    const call = client.FullDuplexCall(noMetadata(), { deadline: Date.now() + 1 });
    call.write({ payload: contract.zeros(contract.requestSizes[0]) });
    const { status } = await finishStream(call);
    checkStatus(status, grpc.status.DEADLINE_EXCEEDED);
  },

  async cancel_after_begin(client) {
    const { status } = await finishSingle((done) => {
      const call = client.StreamingInputCall(noMetadata(), options(), done);
      setImmediate(() => call.cancel());
      return call;
    });
    checkStatus(status, grpc.status.CANCELLED);
  },

  async cancel_after_first_response(client) {
    const call = client.FullDuplexCall(noMetadata(), options());
    call.write(ping(contract.requestSizes[0], contract.responseSizes[0]));
    const { responses, status } = await finishStream(call, () => call.cancel());
    checkResponses(responses, [contract.responseSizes[0]]);
    checkStatus(status, grpc.status.CANCELLED);
  },

  async health(client) {
    const Health = grpc.makeGenericClientConstructor(healthService, 'Health');
    const health = new Health('', grpc.credentials.createInsecure(),
      { channelOverride: client.getChannel() });
    const { response } = await finishSingle((done) =>
      health.check({ service: '' }, noMetadata(), options(), done));
    check('health', response.status, 'SERVING');
    const { status } = await finishSingle((done) =>
      health.check({ service: 'none.None' }, noMetadata(), options(), done));
    checkStatus(status, grpc.status.NOT_FOUND);
    const watching = health.watch({ service: '' }, noMetadata(), options());
    const { responses } = await finishStream(watching, () => watching.cancel());
    check('watched', responses.map((each) => each.status), ['SERVING']);
  },
};

async function main() {
  const { address, test_case: name } = contract.flags('address', 'test_case');
  if (!Object.hasOwn(cases, name)) throw new Error(`unknown test case '${name}'`);
  const client = new contract.TestService(address, grpc.credentials.createInsecure());
  try {
    await cases[name](client);
  } catch (error) {
    if (!(error instanceof Differs) && error.code === undefined) throw error;
    console.error(`${name}: ${error.message}`);
    process.exitCode = 1;
  } finally {
    client.close();
  }
}

main();
