// SPDX-License-Identifier: Apache-2.0
// The numbers and names that the interop contract fixes.
namespace Nearcall.Interop;

internal static class Contract
{
    public const int LargeRequest = 271828;
    public const int LargeResponse = 314159;
    public static readonly int[] RequestSizes = [27182, 8, 1828, 45904];
    public static readonly int[] ResponseSizes = [31415, 9, 2653, 58979];
    public const string InitialKey = "x-grpc-test-echo-initial";
    public const string InitialValue = "test_initial_metadata_value";
    public const string TrailingKey = "x-grpc-test-echo-trailing-bin";
    public static readonly byte[] TrailingValue = [0xab, 0xab, 0xab];
    public const string RichMessage = "rich";
    public const string RichReason = "INTEROP";
    public const string StatusMessage = "test status message";
    public const string SpecialMessage =
        "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n";
}
