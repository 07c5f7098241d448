// What one can be told of, in the order in which it is offered.
import type { Notification } from '@tracker/shared/api/schema.d.ts';

export type NotificationKind = Notification['kind'];

export const NOTIFICATION_KINDS = [
  'delivered',
  'left_delivery',
  'arrived_in_storage',
  'left_storage',
  'silent',
  'battery_low',
] as const satisfies NotificationKind[];
