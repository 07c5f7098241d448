// The end of a list that grows: loads the next page when it comes into view, or when it is pressed.
import { Button } from '@tracker/shared/ui/Button.tsx';
import { useEffect, useEffectEvent, useRef } from 'react';
import { useTranslation } from 'react-i18next';

interface Growing {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
}

export function MoreButton({ query }: { query: Growing }) {
  const { t } = useTranslation('app');
  const end = useRef<HTMLDivElement>(null);
  const grow = useEffectEvent(() => {
    if (!query.isFetchingNextPage) query.fetchNextPage();
  });
  const { hasNextPage } = query;
  useEffect(() => {
    if (!hasNextPage || !end.current) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && grow());
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [hasNextPage]);
  if (!hasNextPage) return null;
  return (
    <div ref={end} className="flex justify-center p-3">
      <Button small busy={query.isFetchingNextPage} onClick={() => query.fetchNextPage()}>
        {t('trackers.more')}
      </Button>
    </div>
  );
}
