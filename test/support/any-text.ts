import fc from 'fast-check';

const SURROGATES = { from: 0xd800, count: 0x800 };

/**
 * Texts of any characters, up to so many. In place of fast-check's unit `binary`, which walks all of Unicode when it is
 * made: a second of CPU time, and more than a unit test's limit on a machine that is busy.
 */
export function anyText(maxLength: number): fc.Arbitrary<string> {
  const character = fc.oneof(fc.nat(0x7f), fc.nat(0x10_ffff - SURROGATES.count)).map(characterOf);
  return fc.string({ unit: character, maxLength });
}

function characterOf(number: number): string {
  return String.fromCodePoint(number < SURROGATES.from ? number : number + SURROGATES.count);
}
