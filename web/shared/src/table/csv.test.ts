// CSV: quoting, and text that must not become a formula.
import { describe, expect, it } from 'vitest';
import { csvCell, csvLine } from './csv';

describe('csvCell', () => {
  it.each([
    [null, ''],
    [undefined, ''],
    [0, '0'],
    [-5, '-5'],
    [false, 'false'],
    ['plain', 'plain'],
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['two\nlines', '"two\nlines"'],
    ['=1+1', "'=1+1"],
    ['@cmd', "'@cmd"],
    ['-dash', "'-dash"],
    [{ latitude: 1, longitude: 2 }, '"{""latitude"":1,""longitude"":2}"'],
  ])('%j is written as %s', (value, text) => expect(csvCell(value)).toBe(text));
});

it('ends lines as RFC 4180 says', () => expect(csvLine(['a', 1, null])).toBe('a,1,\r\n'));
