interface Units {
  readonly base: number;
  readonly names: readonly string[];
  /** Significant digits. */
  readonly digits: number;
}

const DECIMAL: Units = { base: 1000, names: ['B', 'kB', 'MB', 'GB', 'TB'], digits: 3 };
const BINARY: Units = { base: 1024, names: ['B', 'KiB', 'MiB', 'GiB', 'TiB'], digits: 4 };

/** Decimal units, as Docker prints sizes. */
export function humanSize(bytes: number): string {
  return sizeText(bytes, DECIMAL);
}

/** Powers of 1024, as Docker prints memory. */
export function binarySize(bytes: number): string {
  return sizeText(bytes, BINARY);
}

function sizeText(bytes: number, { base, names, digits }: Units): string {
  let size = bytes;
  let unit = 0;
  for (; size >= base && unit < names.length - 1; unit++) size /= base;
  return `${Number(size.toPrecision(digits))}${names[unit]}`;
}
