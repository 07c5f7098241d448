// The session in React components.
import { useSyncExternalStore } from 'react';
import type { User } from '../api/schema';
import { session, type SessionState } from './session';

export function useSession(): SessionState {
  return useSyncExternalStore(session.subscribe, session.snapshot);
}

/** The signed-in user. Only for components below <SignedIn>, which shows them to nobody else. */
export function useUser(): User {
  const state = useSession();
  if (state.status !== 'signed-in') throw new Error('useUser outside of <SignedIn>');
  return state.user;
}
