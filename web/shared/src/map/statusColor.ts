// The colour of a feature's status, as a MapLibre expression.
import { statusColors } from '../ui/Badge';

export const statusColor = ['match', ['get', 'status'], ...Object.entries(statusColors).flat(), statusColors.CREATED];
