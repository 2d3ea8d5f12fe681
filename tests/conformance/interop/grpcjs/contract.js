// SPDX-License-Identifier: Apache-2.0
// The interop contract: its numbers and names, its services from the .proto files, the flags.
'use strict';

const path = require('path');
const { parseArgs } = require('util');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const definition = loader.loadSync('grpc/testing/test.proto', {
  includeDirs: [path.join(__dirname, '..', 'proto')],
  keepCase: true,
  defaults: true,
});

/** The flags named in `names`, each of which must be given as --name=value. */
function flags(...names) {
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
  const { values } = parseArgs({ options });
  for (const name of names) {
    if (values[name] === undefined) throw new Error(`--${name}=… is missing`);
  }
  return values;
}

module.exports = {
  definition,
  ...grpc.loadPackageDefinition(definition).grpc.testing,
  flags,
  zeros: (size) => ({ body: Buffer.alloc(size) }),
  largeRequest: 271828,
  largeResponse: 314159,
  requestSizes: [27182, 8, 1828, 45904],
  responseSizes: [31415, 9, 2653, 58979],
  initialKey: 'x-grpc-test-echo-initial',
  initialValue: 'test_initial_metadata_value',
  trailingKey: 'x-grpc-test-echo-trailing-bin',
  trailingValue: Buffer.from('ababab', 'hex'),
  statusMessage: 'test status message',
  specialMessage:
    '\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n',
};
