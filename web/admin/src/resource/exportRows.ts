// Exports what a list shows, all of its pages, as CSV.
import { request } from '@tracker/shared/api/client.ts';
import { csvLine, download } from '@tracker/shared/table/csv.ts';
import type { FieldSpec, Row } from './spec';

const PAGE = 500;
/** A browser holds that many rows without trouble; more is a task for the API. */
export const EXPORT_MAX = 100_000;

interface Page {
  items: Row[];
  next_cursor: string | null;
}

/** The number of rows; `progress` is called after each page. */
export async function exportRows(
  path: string,
  query: Record<string, string>,
  fields: FieldSpec[],
  heads: string[],
  progress: (rows: number) => void,
): Promise<number> {
  const name = path.split('/').pop() ?? 'export';
  const parts = [csvLine(heads)];
  let count = 0;
  let cursor: string | null = '';
  while (cursor !== null && count < EXPORT_MAX) {
    const params = new URLSearchParams({ ...query, limit: String(PAGE) });
    params.delete('cursor');
    if (cursor) params.set('cursor', cursor);
    const { data }: { data: Page } = await request<Page>('GET', `${path}?${params}`);
    for (const row of data.items) parts.push(csvLine(fields.map((field) => row[field.name])));
    count += data.items.length;
    cursor = data.next_cursor;
    progress(count);
  }
  download(`${name}-${new Date().toISOString().slice(0, 10)}.csv`, parts);
  return count;
}
