const LONGEST = 120;
/** What JSON leaves as it is and a terminal may obey: DEL, C1 controls, line separators, changes of direction. */
const UNSAFE = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Text of somebody else's, made fit for a message: in quotes, escaped, and cut. */
export function quoted(text: string): string {
  const cut = text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text;
  return JSON.stringify(cut).replace(UNSAFE, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
