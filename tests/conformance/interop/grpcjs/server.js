// SPDX-License-Identifier: Apache-2.0
// The grpc-js peer's server: the interop TestService on a Unix socket.
'use strict';

const { setTimeout: sleep } = require('timers/promises');
const grpc = require('@grpc/grpc-js');
const { ReflectionService } = require('@grpc/reflection');
const { HealthImplementation } = require('grpc-health-check');
const contract = require('./contract');

/** Sends the initial metadata that the call asks for, and returns the trailing metadata. */
function echoMetadata(call) {
  const trailing = new grpc.Metadata();
  for (const value of call.metadata.get(contract.trailingKey)) {
    trailing.add(contract.trailingKey, value);
  }
  const initial = new grpc.Metadata();
  for (const value of call.metadata.get(contract.initialKey)) {
    initial.add(contract.initialKey, value);
  }
  call.sendMetadata(initial);
  return trailing;
}

/** The error that a request asks for, or null. */
function wantedError(request, trailing) {
  const wanted = request.response_status;
  if (!wanted || wanted.code === 0) return null;
  return { code: wanted.code, details: wanted.message, metadata: trailing };
}

function emptyCall(call, callback) {
  callback(null, {});
}

function unaryCall(call, callback) {
  const trailing = echoMetadata(call);
  const error = wantedError(call.request, trailing);
  if (error) return callback(error);
  return callback(null, { payload: contract.zeros(call.request.response_size) }, trailing);
}

function streamingInputCall(call, callback) {
  let total = 0;
  call.on('data', (request) => {
    total += request.payload ? request.payload.body.length : 0;
  });
  call.on('end', () => callback(null, { aggregated_payload_size: total }));
}

async function answer(call, request) {
  for (const wanted of request.response_parameters) {
    if (wanted.interval_us > 0) await sleep(wanted.interval_us / 1000);
    call.write({ payload: contract.zeros(wanted.size) });
  }
}

async function streamingOutputCall(call) {
  const trailing = echoMetadata(call);
  const error = wantedError(call.request, trailing);
  if (error) return call.emit('error', error);
  await answer(call, call.request);
  return call.end(trailing);
}

async function fullDuplexCall(call) {
  const trailing = echoMetadata(call);
  let answered = Promise.resolve();
  let failed = false;
  call.on('data', (request) => {
    answered = answered.then(() => {
      if (failed) return undefined;
      const error = wantedError(request, trailing);
      if (!error) return answer(call, request);
      failed = true;
      return call.emit('error', error);
    });
  });
  call.on('end', () => answered.then(() => failed || call.end(trailing)));
}

function main() {
  const { address } = contract.flags('address');
  const server = new grpc.Server();
  server.addService(contract.TestService.service, {
    EmptyCall: emptyCall,
    UnaryCall: unaryCall,
    StreamingInputCall: streamingInputCall,
    StreamingOutputCall: streamingOutputCall,
    FullDuplexCall: fullDuplexCall,
  });
  new HealthImplementation({ '': 'SERVING' }).addToServer(server);
  new ReflectionService(contract.definition).addToServer(server);
  server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error) => {
    if (error) throw error;
    console.log('READY');
  });
  process.on('SIGTERM', () => {
    server.forceShutdown();
    process.exit(0);
  });
}

main();
