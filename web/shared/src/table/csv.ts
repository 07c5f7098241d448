// CSV files that spreadsheets open as they are.

/** Quoted where needed. What a spreadsheet would take for a formula gets an apostrophe in front. */
export function csvCell(value: unknown): string {
  if (value === null || value === undefined) return '';
  let text = typeof value === 'string' ? value : JSON.stringify(value);
  if (typeof value === 'string' && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csvLine(values: unknown[]): string {
  return `${values.map(csvCell).join(',')}\r\n`;
}

/** Offers text as a file. The mark at the beginning tells Excel that it is UTF-8. */
export function download(name: string, parts: string[], type = 'text/csv'): void {
  const mark = type === 'text/csv' ? ['\ufeff'] : [];
  const url = URL.createObjectURL(new Blob([...mark, ...parts], { type: `${type};charset=utf-8` }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
