// What a reader has set on a list - search, filters, order, page, columns - and its two homes: the address or the component.
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import type { Search } from '../shell/search';

export interface TableState {
  q: string;
  /** A field's name, with a leading minus for descending; empty for the API's own order. */
  sort: string;
  limit: number;
  cursor: string;
  archived: '' | 'true' | 'all';
  /** Chosen columns; undefined for the usual ones. */
  columns: string[] | undefined;
  /** By parameter of the API: { status: 'DELIVERED', created_at_from: '2026-…' }. */
  filters: Record<string, string>;
}

export interface TableStateHandle {
  state: TableState;
  /** Everything but a step to another page goes back to the first page. */
  change: (change: Partial<TableState>) => void;
}

export const PAGE_SIZES = [50, 100, 200, 500] as const;
const DEFAULT_LIMIT = PAGE_SIZES[0];
const OWN_KEYS = new Set(['q', 'sort', 'limit', 'cursor', 'archived', 'columns', 'tab']);

export function stateOfSearch(search: Search): TableState {
  const limit = Number(search.limit);
  const filters: Record<string, string> = {};
  for (const [name, value] of Object.entries(search)) {
    if (!OWN_KEYS.has(name) && value !== undefined && value !== '') filters[name] = String(value);
  }
  return {
    q: search.q ?? '',
    sort: search.sort ?? '',
    limit: (PAGE_SIZES as readonly number[]).includes(limit) ? limit : DEFAULT_LIMIT,
    cursor: search.cursor ?? '',
    archived: search.archived === 'true' || search.archived === 'all' ? search.archived : '',
    columns: search.columns?.split(',').filter(Boolean),
    filters,
  };
}

export function searchOfState(state: TableState): Search {
  return {
    q: state.q || undefined,
    sort: state.sort || undefined,
    limit: state.limit === DEFAULT_LIMIT ? undefined : String(state.limit),
    cursor: state.cursor || undefined,
    archived: state.archived || undefined,
    columns: state.columns?.join(','),
    ...state.filters,
  };
}

/** The parameters of the API's list that the state means. `fixed` filters are the page's own and not the reader's to change. */
export function queryOfState(state: TableState, fixed: Record<string, string> = {}): Record<string, string> {
  const query: Record<string, string> = { limit: String(state.limit) };
  if (state.q.trim()) query.q = state.q.trim();
  if (state.sort) query.sort = state.sort;
  if (state.cursor) query.cursor = state.cursor;
  if (state.archived) query.archived = state.archived;
  return { ...query, ...state.filters, ...fixed };
}

function changed(state: TableState, change: Partial<TableState>): TableState {
  const samePage = 'cursor' in change || 'columns' in change;
  return { ...state, ...(samePage ? {} : { cursor: '' }), ...change };
}

/** Kept in the address: survives reload, can be linked to, and “back” undoes it. */
export function useAddressTableState(): TableStateHandle {
  const search: Search = useSearch({ strict: false });
  const navigate = useNavigate();
  const state = stateOfSearch(search);
  return {
    state,
    change: (change) => {
      const next = searchOfState(changed(state, change));
      // Typing in the search field must not fill the history.
      void navigate({ to: '.', search: next as never, replace: 'q' in change || 'columns' in change });
    },
  };
}

/** Kept in the component: for lists inside of other pages. */
export function useLocalTableState(initial: Partial<TableState> = {}): TableStateHandle {
  const [state, setState] = useState<TableState>({ ...stateOfSearch({}), ...initial });
  return { state, change: (change) => setState((current) => changed(current, change)) };
}
