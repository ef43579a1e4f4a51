/** Cuts a Go template (text/template) into text and actions, and actions into words. */
import { BoxError } from '@a3s-box/core';

export type TokenKind = 'field' | 'dot' | 'variable' | 'word' | 'string' | 'number' | 'sign';

export interface Token {
  readonly kind: TokenKind;
  /** As written; of a string, what it stands for. */
  readonly text: string;
  /** Nothing stands between this and the token before: `.A.B`, not `.A .B`. */
  readonly joined: boolean;
}

export type Piece =
  { readonly kind: 'text'; readonly text: string } | { readonly kind: 'action'; readonly tokens: readonly Token[] };

const TOKEN = new RegExp(
  [
    String.raw`(?<field>\.[\p{L}_][\p{L}\p{Nd}_]*)`,
    String.raw`(?<variable>\$[\p{L}\p{Nd}_]*)`,
    String.raw`(?<number>[+-]?(?:0x[\da-fA-F]+|\d+(?:\.\d+)?))`,
    String.raw`(?<dot>\.)`,
    String.raw`(?<word>[\p{L}_][\p{L}\p{Nd}_]*)`,
    String.raw`(?<quoted>"(?:[^"\\\n]|\\.)*")`,
    '(?<raw>`[^`]*`)',
    String.raw`(?<sign>:=|[=|(),])`,
  ].join('|'),
  'uy',
);
const COMMENT = /\{\{(?:- )?\s*\/\*.*?\*\/\s*(?: -)?\}\}/sy;

/** @throws INVALID_ARGUMENT */
export function piecesOf(template: string): Piece[] {
  const pieces: Piece[] = [];
  let trimNext = false;
  for (let at = 0; at < template.length;) {
    const open = template.indexOf('{{', at);
    const end = open < 0 ? template.length : open;
    let text = template.slice(at, end);
    if (trimNext) text = text.trimStart();
    trimNext = false;
    if (open >= 0 && /^\{\{-\s/.test(template.slice(open))) text = text.trimEnd();
    if (text !== '') pieces.push({ kind: 'text', text });
    if (open < 0) break;
    COMMENT.lastIndex = open;
    const comment = COMMENT.exec(template);
    const action = comment ? undefined : readAction(template, open);
    if (action) pieces.push({ kind: 'action', tokens: action.tokens });
    at = comment ? open + comment[0].length : (action?.end ?? template.length);
    trimNext = /\s-\}\}$/.test(template.slice(open, at));
  }
  return pieces;
}

function readAction(template: string, open: number): { tokens: Token[]; end: number } {
  const tokens: Token[] = [];
  let at = open + (/^\{\{-\s/.test(template.slice(open)) ? 3 : 2);
  for (;;) {
    const blanks = /\s*/y;
    blanks.lastIndex = at;
    const start = at + (blanks.exec(template)?.[0].length ?? 0);
    if (template.startsWith('}}', start)) return { tokens, end: start + 2 };
    if (start > at && template.startsWith('-}}', start)) return { tokens, end: start + 3 };
    if (start >= template.length) throw templateError('unclosed action');
    TOKEN.lastIndex = start;
    const match = TOKEN.exec(template);
    if (!match) throw unreadable(template, start);
    tokens.push(tokenOf(match, start === at));
    at = start + match[0].length;
  }
}

function tokenOf(match: RegExpExecArray, joined: boolean): Token {
  const [kind = 'sign', text = ''] = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined) ?? [];
  if (kind === 'raw') return { kind: 'string', text: text.slice(1, -1), joined };
  if (kind === 'quoted') return { kind: 'string', text: unquote(text), joined };
  return { kind: kind as TokenKind, text, joined };
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '"': '"', '\\': '\\', "'": "'" };

function unquote(quoted: string): string {
  return quoted.slice(1, -1).replaceAll(/\\(x[\da-fA-F]{2}|u[\da-fA-F]{4}|.)/gs, (whole, escape: string) => {
    if (escape.length > 1) return String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    const known = ESCAPES[escape];
    if (known === undefined) throw templateError(`unknown escape ${whole} in ${quoted}`);
    return known;
  });
}

function unreadable(template: string, at: number): BoxError {
  if (template[at] === '"' || template[at] === '`') return templateError('unterminated string');
  return templateError(`unexpected "${String.fromCodePoint(template.codePointAt(at) ?? 0)}" in an action`);
}

/** A template that cannot be read. */
export function templateError(what: string): BoxError {
  return new BoxError('INVALID_ARGUMENT', `template parsing error: ${what}`, {
    hint: "for example --format '{{.ID}}', --format json; docs/cli-reference.md says what templates may hold",
  });
}
