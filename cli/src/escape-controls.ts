/** What a terminal may obey: C0 but for tab and newline, DEL, C1. */
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\0-\x08\x0b-\x1f\x7f-\x9f]/g;

/**
 * Text that does nothing to a terminal but to move on: control characters but for newline and tab stand as `\u001b`,
 * which is also what a JSON string may hold.
 */
export function escapeControls(text: string): string {
  return text.replace(CONTROLS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
