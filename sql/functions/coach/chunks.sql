-- How a text becomes pieces that can be found: by its headings, paragraphs, lists and tables.
--
-- A text may have 5 million characters, so nothing here looks at a character twice for each piece: what is
-- long is taken apart into arrays, and substr() is for short texts alone.

create or replace function uplift.cut_characters(p_text text, p_most int) returns setof text
language plpgsql immutable parallel safe
as $$
declare
    -- In two steps: substr() counts characters from the beginning.
    c_run constant int := 64 * p_most;
    v_run text;
    v_piece text;
begin
    for i in 0 .. (length(p_text) - 1) / c_run loop
        v_run := substr(p_text, i * c_run + 1, c_run);
        for k in 0 .. 63 loop
            v_piece := substr(v_run, k * p_most + 1, p_most);
            exit when v_piece = '';
            return next v_piece;
        end loop;
    end loop;
end
$$;

comment on function uplift.cut_characters(text, int) is 'A text in pieces of so many characters, for one without any place to part it.';

create or replace function uplift.cut_text(p_text text, p_most int, p_how int default 1) returns setof text
language plpgsql immutable parallel safe
as $$
declare
    v_parts text[];
    v_part text;
    v_length int;
    v_body text := '';
    v_body_length int := 0;
begin
    if length(p_text) <= p_most then
        return next p_text;
        return;
    elsif p_how > 2 then
        return query select c from uplift.cut_characters(p_text, p_most) c;
        return;
    end if;
    v_parts := string_to_array(case p_how
        when 0 then replace(p_text, e'\n', e'\n\x01')
        when 1 then regexp_replace(p_text, '([.!?…][)"”’»\]]*\s+|[。！？][」』）]*)', e'\\1\x01', 'g')
        else regexp_replace(p_text, '(\s+)', e'\\1\x01', 'g') end, e'\x01');
    foreach v_part in array v_parts loop
        v_length := length(v_part);
        if v_body_length > 0 and v_body_length + v_length > p_most then
            return next rtrim(v_body, e' \n\t');
            v_body := '';
            v_body_length := 0;
        end if;
        if v_length > p_most then
            return query select c from uplift.cut_text(v_part, p_most, p_how + 1) c;
        else
            v_body := v_body || v_part;
            v_body_length := v_body_length + v_length;
        end if;
    end loop;
    if v_body_length > 0 then
        return next rtrim(v_body, e' \n\t');
    end if;
end
$$;

comment on function uplift.cut_text(text, int, int) is
    'A text in pieces of at most so many characters, parted where it hurts least: p_how 0 at the ends of lines, then (1) of sentences, then (2) between words, then anywhere.';

create or replace function uplift.cut_table(p_table text, p_most int) returns setof text
language plpgsql immutable parallel safe
as $$
declare
    v_head text := substring(p_table from e'^([^\n]*\n[ \t]*\\|?[ \t:|-]*-[ \t:|-]*\n)');
begin
    if length(p_table) <= p_most or v_head is null or length(v_head) > p_most / 2 then
        return query select c from uplift.cut_text(p_table, p_most, 0) c;
        return;
    end if;
    return query select v_head || c from uplift.cut_text(right(p_table, -length(v_head)), p_most - length(v_head), 0) c;
end
$$;

comment on function uplift.cut_table(text, int) is 'A table in pieces of whole rows, each with the names of the columns above it.';

-- Kinds of lines: h a heading, c code, l (of) a list, t a row of a table, p the rest.
create or replace function uplift.text_blocks(p_content text) returns table (kind text, body text)
language sql immutable parallel safe
as $$
    with lines as (
        select t.n, rtrim(t.line, e' \t\r') as line, t.line ~ '^ {0,3}(```|~~~)' as is_fence
        from unnest(string_to_array(p_content, e'\n')) with ordinality as t(line, n)
    ), fences as (
        select l.*, sum(l.is_fence::int) over (order by l.n rows unbounded preceding) as fence,
            sum(l.is_fence::int) over () as fences, lead(l.line) over (order by l.n) as next_line
        from lines l
    ), kinds as (
        select f.n, f.line, f.fence, f.is_fence, f.next_line,
            case
                -- A fence that is never closed is none.
                when (f.is_fence or f.fence % 2 = 1) and not (f.fences % 2 = 1 and f.fence = f.fences) then 'c'
                when f.line = '' then null
                when f.line ~ '^#{1,6}[ \t]+[^# \t]' then 'h'
                when f.line ~ '^[ \t]*\|' then 't'
                when f.line ~ '^(\t| {2,}|[-*+][ \t]|\d{1,9}[.)][ \t])' then 'l'
                when f.next_line ~ '^(=+|-{3,})[ \t]*$' and f.line !~ '^[-=* ]+$' and length(f.line) <= 200 then 'u'
                when f.line ~ '^(=+|-{3,})$' then null
                else 'p' end as kind
        from fences f
    ), marked as (
        select k.n, k.line, k.is_fence, k.fence, case k.kind when 'u' then 'h' else k.kind end as kind,
            -- Of a heading that is underlined.
            case when k.kind = 'u' then case when k.next_line ~ '^=' then '# ' else '## ' end else '' end as signs,
            lag(k.kind) over (order by k.n) as before, k.n - lag(k.n) over (order by k.n) > 1 as is_apart
        from kinds k where k.kind is not null
    ), blocks as (
        select m.*, sum((m.before is null or m.kind = 'h' or m.before in ('h', 'u')
            or m.kind <> m.before and not (m.kind = 'p' and m.before = 'l' and not m.is_apart)
            or m.kind in ('p', 't') and m.is_apart
            or m.kind = 'c' and m.is_fence and m.fence % 2 = 1)::int) over (order by m.n rows unbounded preceding) as block
        from marked m
    )
    select min(b.kind), string_agg(b.signs || b.line, e'\n' order by b.n)
    from blocks b group by b.block order by b.block
$$;

comment on function uplift.text_blocks(text) is
    'What a text with Markdown''s headings is made of, in order: h a heading, with its number signs; c code between fences; l a list; t a table; p a paragraph.';

create or replace function uplift.text_chunks(p_title text, p_content text) returns table (part int, title text, body text)
language plpgsql immutable parallel safe
as $$
declare
    c_most constant int := 1200;
    c_limit constant int := 5000000;
    -- A text of hundreds of thousands of tiny sections would else have as many pieces.
    v_least int := least(length(p_content), c_limit) / 5000;
    v_block record;
    v_unit text;
    v_units text[];
    v_level int;
    v_path text[] := '{}'::text[];
    v_bare text; -- a heading without any text below it so far
    v_body text := '';
    v_length int := 0;
begin
    part := 0;
    for v_block in
        select b.kind, b.body from uplift.text_blocks(replace(left(p_content, c_limit), e'\x01', '')) b
    loop
        if v_block.kind = 'h' then
            v_level := length(substring(v_block.body from '^#+'));
            v_unit := left(regexp_replace(v_block.body, '^#+\s+|\s+#+\s*$', '', 'g'), 200);
            if v_bare is not null and v_level <= cardinality(v_path) then
                v_units := array[v_bare];
            else
                v_units := '{}';
            end if;
        else
            v_units := case
                when length(v_block.body) <= c_most then array[v_block.body]
                when v_block.kind = 't' then array(select c from uplift.cut_table(v_block.body, c_most) c)
                when v_block.kind in ('c', 'l') then array(select c from uplift.cut_text(v_block.body, c_most, 0) c)
                else array(select c from uplift.cut_text(v_block.body, c_most) c) end;
            v_bare := null;
        end if;

        for i in 1 .. cardinality(v_units) loop
            if v_length > 0 and v_length + 2 + length(v_units[i]) > c_most then
                body := v_body;
                return next;
                part := part + 1;
                v_length := 0;
            end if;
            if v_length = 0 then
                title := uplift.title_path(p_title, v_path);
                v_body := v_units[i];
            else
                v_body := v_body || e'\n\n' || v_units[i];
            end if;
            v_length := length(v_body);
        end loop;

        if v_block.kind = 'h' then
            if v_length > 0 and v_length >= v_least then
                body := v_body;
                return next;
                part := part + 1;
                v_length := 0;
            elsif v_length > 0 then
                v_body := v_body || e'\n\n' || v_unit;
                v_length := length(v_body);
            end if;
            -- Levels that are left out have no heading.
            v_path := v_path[:v_level - 1] || array_fill(null::text, array[greatest(v_level - 1 - cardinality(v_path), 0)]) || v_unit;
            v_bare := case when v_length = 0 then v_unit end;
        end if;
    end loop;
    if v_bare is not null and v_length = 0 then
        title := uplift.title_path(p_title, v_path);
        v_body := v_bare;
        v_length := length(v_bare);
    end if;
    if v_length > 0 then
        body := v_body;
        return next;
    end if;
end
$$;

comment on function uplift.text_chunks(text, text) is
    'A text in pieces of about 1,200 characters, none longer, numbered from 0, each with the titles above it: "Sleep > Naps > When". Sections are parted, paragraphs kept whole, and lists, tables and code too where they fit; of a text of more than 5 million characters the beginning.';

create or replace function uplift.title_path(p_title text, p_path text[]) returns text
language sql immutable parallel safe
as $$
    select left(array_to_string(case when p_path[1] = p_title then p_path else nullif(p_title, '') || p_path end, ' > '), 300)
$$;

comment on function uplift.title_path(text, text[]) is
    'The title of a document and the headings above a piece of it as one line of at most 300 characters; a first heading that repeats the title is there once.';
