// Why a tracker got a status: the rule in words, and the report that decided.
import { useTranslation } from 'react-i18next';
import type { StatusChange } from '../api/schema';
import { formatDistance } from '../i18n/format';
import { Time } from '../ui/Time';

const KNOWN_RULES = ['first_report', 'entered_storage', 'entered_delivery', 'left_storage', 'left_delivery'] as const;

export function Why({ change }: { change: StatusChange }) {
  const { t } = useTranslation('shared');
  const { rule, reported_at, accuracy_m, distance_m, override } = change.why;
  const known = KNOWN_RULES.find((name) => name === rule);
  const place = change.location_name ?? t('why.unknownPlace');
  const sentence = override
    ? t('why.override', { user: override.user_name ?? t('why.somebody'), reason: override.reason })
    : known
      ? t(`why.${known}`, { place })
      : t('why.other', { rule });
  const details = [
    distance_m !== null &&
      t(distance_m <= 0 ? 'why.inside' : 'why.outside', {
        distance: formatDistance(Math.abs(distance_m)),
      }),
    accuracy_m !== null && t('why.accuracy', { distance: formatDistance(accuracy_m) }),
  ].filter(Boolean);
  return (
    <div className="text-muted">
      <p className="break-words">{sentence}</p>
      <p>
        {reported_at && <Time value={reported_at} exact />}
        {details.length > 0 && ` · ${details.join(' · ')}`}
      </p>
    </div>
  );
}
