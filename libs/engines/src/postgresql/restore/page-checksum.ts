/** The checksum of a page, as PostgreSQL computes it. Source: src/include/storage/checksum_impl.h. */
const lanes = 32;
const prime = 16_777_619;
const offsets = Uint32Array.of(
  0x5b1f36e9,
  0xb8525960,
  0x02ab50aa,
  0x1de66d2a,
  0x79ff467a,
  0x9bb9f8a3,
  0x217e7cd2,
  0x83e13d2c,
  0xf8d4474f,
  0xe39eb970,
  0x42c6ae16,
  0x993216fa,
  0x7b093b5d,
  0x98daff3c,
  0xf718902a,
  0x0b1c9cdb,
  0xe58f764b,
  0x187636bc,
  0x5d7b3bb1,
  0xe73de7de,
  0x92bec979,
  0xcca6c0b2,
  0x304a0979,
  0x85aa43d4,
  0x783125bb,
  0x6ca8eaa2,
  0xe407eac6,
  0x4b5cfc3e,
  0x9fbf8c76,
  0x15ca20be,
  0xf2ca9fd3,
  0x959bd756,
);
const roundsOfZeros = 2;
export const checksumAt = 8;
const wordOfChecksum = checksumAt / 4;
const sums = new Int32Array(lanes);
/** It runs two thousand times for each page. In Jest's contexts a look at the global `Math` takes a hundred times as long. */
const { imul } = Math;

/**
 * @param words the page; the checksum that it carries does not count
 * @param block its number in the relation, over all its files
 */
export function pageChecksum(words: Uint32Array, block: number): number {
  sums.set(offsets);
  for (let at = 0; at < words.length; at += lanes) {
    for (let lane = 0; lane < lanes; lane += 1) {
      const word = words[at + lane] ?? 0;
      // The checksum is the lower half of its word, on machines that PostgreSQL has binaries for here.
      mix(lane, at + lane === wordOfChecksum ? word & 0xffff_0000 : word);
    }
  }
  let all = 0;
  for (let round = 0; round < roundsOfZeros; round += 1) for (let lane = 0; lane < lanes; lane += 1) mix(lane, 0);
  for (let lane = 0; lane < lanes; lane += 1) all ^= sums[lane] ?? 0;
  return (((all ^ block) >>> 0) % 65_535) + 1;
}

function mix(lane: number, word: number): void {
  const mixed = (sums[lane] ?? 0) ^ word;
  sums[lane] = imul(mixed, prime) ^ (mixed >>> 17);
}
