// The kinds of what needs attention, most urgent first.
import type { Exception } from '@tracker/shared/api/schema.d.ts';

export type AttentionKind = Exception['kind'];

export const ATTENTION_KINDS = ['wrong_place', 'left_early', 'stuck', 'silent'] as const satisfies AttentionKind[];
