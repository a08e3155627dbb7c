-- Which sentences say something that is worth remembering, by rules. English only: what is said in other
-- languages is for the model (extract-memories). t/sql/memory.py measures them.
--
-- A sentence is brought into one form first: quotes of others go, "my sister" becomes "i", and whom it was
-- about is kept apart; "trying to" becomes "i am trying to". Then each kind has a pattern for what it is, and
-- one for what only looks like it.

create or replace function uplift.sentences(p_text text) returns table (n bigint, sentence text)
language sql immutable parallel safe
as $$
    select p.n, btrim(left(p.part, 1000))
    from regexp_split_to_table(
        regexp_replace(
            -- Quotes of others, code, addresses of pages.
            regexp_replace(
                case when strpos(left(p_text, 20000), '`') = 0 then translate(left(p_text, 20000), u&'\2019\2018\201C\201D\00A0', '''''"" ')
                    else regexp_replace(translate(left(p_text, 20000), u&'\2019\2018\201C\201D\00A0', '''''"" '), '```.*?(```|$)|`[^`\n]*`', ' ', 'g') end,
                '(^|\n)[ \t]*>[^\n]*|"[^"\n]*"|https?://\S+', ' ', 'g'),
            '[ \t\r\f\v]+', ' ', 'g'),
        -- Not behind the point of a number or an abbreviation, whose next character is none of these.
        '(?<=[.!?\u2026])["'')]*\s+(?!\s*$)|\n+|; ') with ordinality as p(part, n)
    where p.part ~ '[[:alpha:]]'
$$;

comment on function uplift.sentences(text) is
    'The sentences of what somebody typed, in order, with plain quotes and blanks, without code, links and what they quote; of a long text those of its first 20,000 characters, of a long sentence the first 1,000.';

create or replace function uplift.memory_subject(p_sentence text, out subject text, out sentence text)
language plpgsql immutable parallel safe
as $$
declare
    v_person text := '(?:sister|brother|siblings?|mother|mom|mum|mama|mommy|father|dad|daddy|papa|parents?|husband|wife|partner|girlfriend|boyfriend|fianc[eé]e?|spouse|sons?|daughters?|kids?|child|children|baby|toddler|teenager|friends?|buddy|roommates?|flatmates?|housemate|colleagues?|co-?workers?|boss|manager|supervisor|teacher|trainer|therapist|neighbou?rs?|aunt|uncle|cousins?|grandmother|grandma|granny|nana|grandfather|grandpa|grandad|granddad|nieces?|nephews?|in-laws|mother-in-law|father-in-law|sister-in-law|brother-in-law|stepson|stepdaughter|ex|dogs?|cats?|puppy|horse|team)';
    v_found text[];
begin
    v_found := regexp_match(p_sentence, '^(?:[Aa] |[Aa]n? old |[Oo]ne of )?(?:[Mm]y|[Oo]ur|MY) (?:[a-z]+(?:-[a-z]+)* ){0,2}?(' || v_person || ')(?: [A-Z][[:alpha:]]+)?(?= |''s )(.*)$');
    if v_found is null then
        v_found := regexp_match(p_sentence, '^(?:[Aa]n?|[Oo]ne) (?:[a-z]+ )?(' || v_person || ') of mine(?: [A-Z][[:alpha:]]+)?(?= |''s )(.*)$');
    end if;
    -- "My husband and I" are the user as well; a birth or a death is the user's own.
    if v_found is null or v_found[2] ~* '^ (and|or) (i|me|my)\M|\m(was|were|been) born\M|\m(passed away|died|is dead)\M' then
        sentence := regexp_replace(p_sentence, '^(?:my|our) (?:[a-z]+ )?' || v_person || ' and i\M', 'we', 'i');
        return;
    end if;
    subject := lower(v_found[1]);
    subject := case
        when subject in ('mom', 'mum', 'mama', 'mommy') then 'mother' when subject in ('dad', 'daddy', 'papa') then 'father'
        when subject in ('kid', 'toddler', 'teenager') then 'child' when subject = 'kids' then 'children'
        when subject in ('grandma', 'granny', 'nana') then 'grandmother' when subject in ('grandpa', 'grandad', 'granddad') then 'grandfather'
        when subject = 'buddy' then 'friend' when subject in ('coworker', 'co-worker') then 'colleague'
        else subject end;
    sentence := 'i' || v_found[2];
end
$$;

comment on function uplift.memory_subject(text, out text, out text) is
    'Whom a sentence is about, as a word of kinship or the like (null: whoever says it), and the sentence as if they said it themselves.';

create or replace function uplift.memory_form(p_sentence text) returns text
language plpgsql immutable parallel safe
as $$
declare
    s text := lower(p_sentence);
    v_before text;
begin
    s := btrim(regexp_replace(s, '[^[:alnum:]''.,:%?!/+-]+', ' ', 'g')); -- also emoji and the like
    loop
        v_before := s;
        s := regexp_replace(s, '^(hi|hey|hello|ok|okay|yes|yeah|yep|no(?=[,.!])|nope|well|so|oh|ah|hm+|thanks|thank you|thx|also|and|but|plus|actually|honestly|btw|by the way|fyi|basically|anyway|besides|to be honest|tbh|in fact|guess what|good news|update|great|cool|sure|right|now|unfortunately|sadly|luckily|fortunately|finally|lately|recently|currently|at the moment|these days|nowadays|this year|this week|this month|last week|last month|last year|yesterday|today|as of today|since [a-z]+|for (some|many|a few) (reason|years|months|weeks)|for years|just so you know|remember that|note that|please remember(?: that)?)\M(?!'')[,:!.]* *(?=\S)', '');
        exit when s is not distinct from v_before;
    end loop;
    -- Contractions, by plain replacement: of patterns a session keeps only 32.
    s := ' ' || s || ' ';
    s := replace(replace(replace(s, ' i''m ', ' i am '), ' im ', ' i am '), ' we''re ', ' we are ');
    s := replace(replace(replace(s, ' i''ve ', ' i have '), ' ive ', ' i have '), ' we''ve ', ' we have ');
    s := replace(replace(replace(s, ' i''d ', ' i would '), ' we''d ', ' we would '), ' i''ll ', ' i will ');
    s := replace(replace(replace(replace(s, ' can''t ', ' can not '), ' cant ', ' can not '), ' cannot ', ' can not '), ' won''t ', ' will not ');
    s := replace(replace(replace(s, ' dont ', ' do not '), ' didnt ', ' did not '), ' isnt ', ' is not ');
    s := replace(s, 'n''t ', ' not ');
    s := replace(replace(s, ' wanna ', ' want to '), ' gonna ', ' going to ');
    s := btrim(s);
    if s like 'i''s%' then
        s := regexp_replace(s, '^i''s (?=[a-z]+ing\M|not\M|a\M|an\M|so\M|too\M|really\M|allerg|vega|vege|into\M|afraid|scared|getting|preg|getting)', 'i is ');
        s := regexp_replace(s, '^i''s\M', 'i has');
    end if;
    -- What is said without a subject is said of oneself.
    s := regexp_replace(s, '^((still|just|really|always|also|already) )?(trying|hoping|planning|aiming|looking|training|working on|working towards|struggling|saving|learning|studying|preparing|getting married|moving|starting|feeling|been|determined|up at \d|stuck)\M', 'i am \1\3');
    s := regexp_replace(s, '^((still|just|really|always|also|already|finally|actually) )?(going to|lost|ran|slept|nailed|knocked|climbed|cooked|wrote|sold|survived|negotiated|learnt|learned|handed in|signed|cleared|conquered|swam|cycled|came|broke|tried|gained|spend|would like|down|finished|completed|passed|quit|hit|reached|managed|can not|could not|do not|love|hate|prefer|dislike|enjoy|allergic|vegan|vegetarian|got|started|moved|turned|want|need|hope|would love|did|made|set|stuck|kept|keep|have|had|broke|beat|won|bought|signed up|graduated|retired|struggle|never|walked|went|became|joined|gained|saved|tend|suffer|usually|mostly|prefer)\M(?!:)', 'i \1\3');
    return s;
end
$$;

comment on function uplift.memory_form(text) is
    'A sentence in small letters, with contractions written out, without its first words where they say nothing, and with "i" where the subject was left out.';

create or replace function uplift.is_about_the_talk(s text) returns boolean
language plpgsql immutable parallel safe
as $$
begin
    return s ~ concat_ws('|',
        '\?["'')!]*$',
        '^(who|what|where|why|which|how|whose|do|does|did|could|would|should|is|are|am|was|were|shall|may|has|any (tips|advice|ideas?|suggestions?|chance))\M(?! i (want|need|love|hate|like|prefer) is)',
        '^(can|will|have|had) (i|you|we|they|he|she|it|someone|anyone|my)\M',
        '^when (is|are|was|were|do|does|did|should|can|will|would)\M',
        -- What is not so.
        '^(if|suppose|imagine|assuming|assume|unless|let''?s|say)\M|\mif (i|we|you|someone) (were|was|could|had|wanted|did|ever|stopped|started)\M|\mas if\M',
        '\mi (almost|nearly) |\mi used to (want|like|love|enjoy|hate|dream|think|be|have)\M|\m(i|we) was going to\M|\mi wanted to\M(?!.*\mfor (years|ages|a long time)\M)|\m(not|no longer) (any ?more|any longer)\M.*\mi want',
        -- What is said of the conversation, or to whom one talks with.
        '\m(i|we) (just |only |really )?(want|would like|would love|need|wish|hope|have|had)( to| a)? (just )?(ask|know|say|tell|talk|thank|hear|see (the|that|it|this|more|what|how|if|an?)|understand|check|make sure|be (clear|honest)|share|add|mention|apologi[sz]e|go now|leave|clarify|confirm|discuss|point out|vent|question|quick question|give you|help|hi)\M',
        '\m(i|we) (want|would like|would love|need|hope|wish|love|like|prefer|hate)( it when| that| how| the way)? (you|your|yours|this (answer|app|chat|plan|idea|recipe|advice)|that (answer|idea|plan|one|recipe|advice)|it|this|that)\M(?! (when i|never|always|short|brief))',
        '^you(r|''re|''ve)?\M|^(give|tell|show|explain|write|send|make|list|help|suggest|recommend|describe|find|calculate|translate|summari[sz]e|compare|continue|repeat|try again|go on) ',
        '\mi (think|guess|suppose|believe|assume|wonder|doubt|mean|see|understand|agree|bet|am sure|am not sure|do not know|did not know|know) ?(you|so|that|it|this|what|if|whether|not|how|why|the|,|\.|!|$)',
        '\m(can|could) not (wait|believe|complain|agree|thank|help but|remember what|see the|see your|see any|open|load|log ?in|find the|hear you|read the|download|access|connect)\M',
        '\m(feel|looks?|sounds?|seems?|felt|smells?|tastes?) like\M',
        '^(the (goal|point|aim|idea) of|my (phone|laptop|computer|internet|wifi|app|browser|connection|name)\M)',
        '\mso hungry i could|\meat a horse\M')
        or s ~ '\m(right now|at the moment|for now|tonight|just now)[.!]*$' and s !~ '\m(trying|working|training|learning|saving|studying|preparing|struggl)';
end
$$;

comment on function uplift.is_about_the_talk(text) is
    'Whether a sentence, in the form of uplift.memory_form(), is a question, a command, a remark on the conversation or an idiom: nothing that is so, or that lasts.';

create or replace function uplift.memory_kind(s text) returns text
language plpgsql immutable parallel safe
as $$
declare
    -- What stands between subject and verb says little of the kind.
    c_adverb constant text := '(?:(?:always|usually|mostly|often|sometimes|constantly|only|finally|never) )?';
    c_i constant text := '\m(?:i|we) ' || c_adverb;
    c_be constant text := '(?:am|is|are|was|were|have been|has been|been) ' || c_adverb;
    c_maybe constant text := '(?:' || c_be || ')?';
    c_have constant text := '(?:have |has |had )?' || c_adverb;
    c_number constant text := '(?:\d[\d.,]*|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|a hundred|half an?|a few|several|a couple of)';
    c_weight constant text := '(?:kg|kgs|kilos?|kilograms?|pounds?|lbs?|stones?|inch(?:es)?|cm|% ?(?:body)? ?fat)';
    -- One pattern for each kind, because a session keeps no more than 32 that it has worked out.
    c_milestone constant text := concat_ws('|',
        c_i || c_have || c_maybe || '(?:got|get|getting|landed|start(?:ed|ing|s)?|found|accepted|began|begin(?:ning|s)?|lost|losing|quit(?:ting)?|left|leaving|chang(?:ed|ing)|taking|took) (?:up )?(?:a |an |my |the |his |her |our |into )?(?:brand )?(?:new |first |dream |second |old |full-time |part-time )*(?:job|position|role|promotion|internship|apprenticeship|degree|studies|universit|uni\M|college|school|business|phd|master|training as|offer)',
        c_i || c_have || c_maybe || '(?:getting |get |got |been |being |made )?(?:redundant\M|promoted|hired|fired|laid off|made redundant|furloughed|demoted|engaged|married|divorced|pregnant|separated|accepted (?:to|into|at|for)|admitted to|diagnosed)\M',
        c_i || c_have || c_maybe || '(?:getting|got|adopt(?:ed|ing)|brought home|have) (?:a |an |our |my |the )?(?:first |new |little |rescue )*(?:dog|puppy|kitten|cat|keys (?:to|for)|driver''?s? licen[sc]e|driving licen[sc]e|licen[sc]e back|diploma|citizenship|visa|green card|residence permit)\M',
        c_i || c_be || '(?:expecting|having) (?:a |our |my |twins?\M|another )(?:first |second |third |little )*(?:baby|child|boy|girl|son|daughter)?|\m(?:due date|gave birth|having a baby|had a baby|had our (?:first|second|third)|baby is due)\M',
        c_i || c_have || c_maybe || '(?:going to |about to )?(?:broke|broken|break(?:ing)?|split(?:ting)?) up\M|\m(?:ended (?:our|my|the) (?:relationship|engagement|marriage))\M',
        c_i || c_have || c_maybe || '(?:going to |about to |will )?mov(?:e|ed|es|ing) (?:back |away |house|home|flat|abroad|out\M|in\M|in with|into|to (?!bed|the (?:couch|sofa|next)))',
        c_i || c_have || c_maybe || '(?:bought|buying|sold|selling|closed on|closing on|inherited) (?:a |an |our |my |the )?(?:first |new |old )*(?:house|flat|apartment|condo|home|car|place|farm|boat)\M',
        c_i || c_have || c_maybe || '(?:going to |about to |will )?(?:graduat(?:e|es|ed|ing)|retir(?:e|es|ed|ing)|emigrat(?:ed|ing))\M',
        c_i || c_have || c_maybe || '(?:will |will be |going to be |going to |about to )?(?:turn(?:ed|ing|s)? |be (?=\d))(?:[1-9]\d|thirty|forty|fifty|sixty|seventy|eighteen|twenty)(?:-?[a-z]+)?(?: years old)?(?: (?:yesterday|today|tomorrow|last|next|this|on|in|soon|[a-z]+day)\M|[.!,]*$)',
        '\m(?:it is|it''s|today is|today was|tomorrow is|yesterday was|(?:mon|tues|wednes|thurs|fri|satur|sun)day (?:is|was)|is|was) (?:my|our) (?:very )?(?:first |last |\d+(?:st|nd|rd|th) |tenth |fifth |wedding |silver )*(?:birthday|day (?:at|of|in)|anniversary|wedding|graduation)\M',
        '\m(?:my|our) (?:[a-z0-9]+ ){0,2}(?:birthday|wedding|anniversary|race|marathon|triathlon|exams?|finals|surgery|operation|due date|first day|first shift|(?:job )?interview|graduation|competition|tournament|concert|recital|defen[cs]e|move|trip|driving test|test|flight|retirement|maternity leave|parental leave|treatment|chemo|audition|premiere|match|fight|meet)(?: [a-z]+)? (?:is|''s|was|are|will be|starts|begins|ends|takes place|got moved|has been moved) (?:now |booked |booked for |planned )*(?:on|in|at|next|this|last|tomorrow|today|scheduled|set for|coming up|only|just|less than|\d|(?:mon|tues|wednes|thurs|fri|satur|sun)day|the \d)',
        '\m(?:was|were|been|is|got) born\M|\m(?:handed|hand(?:ing)?|put|gave) in (?:my|his|her|our|their) notice|\m(?:proposed (?:to me|last|yesterday|on)|said yes to)|\mwelcomed (?:twins|our|a baby)|\m(?:starting|started|starts?) (?:uni|university|college|school|kindergarten|my studies)\M|\m(?:broke|broken|fractured|tore|sprained) (?:my|his|her) (?:[a-z]+ )?(?:ankle|leg|arm|wrist|foot|acl|collarbone|hand|hip|toe|finger)|\mcame out to (?:my|our)|\msigned (?:my|our|a|the) (?:first )?(?:[a-z]+ )?(?:contract|lease)|\madoption (?:was|is|got)|\mlost my (?:nan|gran[a-z]*|grand[a-z]+|mother|mum|mom|father|dad|brother|sister|husband|wife|dog|cat|best friend)|\m(?:passed away|died)\M(?! laughing)(?<!phone died)(?<!battery died)',
        c_i || c_have || 'became (?:a |an )?(?:proud )?(?:dad|mum|mom|father|mother|parent|aunt|uncle|grand)|\m(?:i|we) (?:am|is|are) (?:going to be|becoming) (?:a |an )?(?:dad|mum|mom|father|mother|parent|aunt|uncle|grand)',
        c_i || c_have || c_maybe || '(?:signed up|registered|enrol+ed|entered|signing up|booked)(?: myself)? (?:for|in|into|at) (?:a |an |the |my |our )?(?!newsletter|account|this|it\M|your)',
        c_i || c_have || 'joined (?:a |an |the |my |our )',
        c_i || '(?:have|has|am having|is having|had|need|scheduled|undergo) (?:a |an |my |the )?(?:[a-z]+ )?(?:surgery|operation|job interview|interview|exam|race|wedding|audition|biopsy|c-section) (?:[a-z]+ ){0,3}(?:on|in|next|this|last|tomorrow|scheduled|coming up|at the)\M',
        '\m(?:celebrat(?:ed|ing)) (?:my|our)\M');
    c_achievement constant text := concat_ws('|',
        c_i || c_have || '(?:lost|dropped|shed|gained|put on) (?:about |around |almost |nearly |over |more than |another |the first |my first |a total of |exactly )*' || c_number || ' ?' || c_weight,
        '\m(?:down|minus|am down|is down) (?:about |another |a total of )*' || c_number || ' ?' || c_weight || '|' || c_number || ' ?' || c_weight || ' (?:down|lighter|gone)\M',
        c_i || c_have || '(?:managed to|succeeded in|made it (?:through|to|up)|accomplished|achieved|mastered|paid off|paid back|learned (?:how )?to|learnt (?:how )?to|taught myself|stuck (?:to|with)|(?:quit|gave up|given up|stopped|kicked|cut out) (?:smoking|drinking|alcohol|sugar|vaping|caffeine|coffee|soda|cigarettes|gambling|weed|meat|biting|cold turkey|(?:the|my) habit)|published|submitted|graduated)\M',
        c_i || c_have || '(?:reached|hit|beat|beaten|smashed|crushed|broke|broken|nailed|met|exceeded) (?:my|our|a|an|the|all|every|' || c_number || ')(?: [a-z0-9,.-]+){0,4}? ?(?:goals?|targets?|records?|pb|pr|best|weight|steps?|streak|milestone|limit|plateau|mark|' || c_number || ')\M',
        c_i || c_have || '(?:finish(?:ed)?|complet(?:ed|e)|pass(?:ed)?|aced|nailed|won|earned|saved|raised|wrote|written|read|built|closed|defended|sold|survived|handed in|submitted|negotiated|conquered|cleared|got through|graduated from) (?:up )?(?:with )?(?:my|our|his|her|their|a|an|the|all|every|dry|' || c_number || '|over|almost|sober|couch|whole30|nanowrimo)\M(?! (?:shop|bus|time|milk|message|news|article|link|label|manual|part|text|screen|salt|tea|coffee|cup|meal|plate|notice|cat|dog)\M)' ,
        c_i || c_have || '(?:ran|run|slept through|knocked|cut|kept|stood|walked|cycled|biked|swam|swum|rowed|hiked|climbed|lifted|benched|squatted|deadlifted|did|done|cooked|meditated|slept|worked out|trained|exercised|went|gone|played|held|spoke|gave|given|made|told|got|had|took|stood up|spent|practi[sc]ed|studied|journaled)\M.*\m(?:for the first time|without (?:stopping|a break|walking|sugar|smoking|alcohol|help|any)|in a row|zero times|under (?:three|two|four|five) hours|all weekend|all year|all day|first unassisted|black belt|every (?:single )?(?:day|night|morning|evening|week|meal)|all week|all month|whole (?:day|week|month|race|marathon)|personal best|pr|pb|new record|first (?:ever|[a-z0-9]+ (?:client|painting|book|song|goal)|unassisted|proper|marathon|10k|5k|half|place|pull-?up|push-?up|triathlon|race|solo|talk|speech|gig|client|customer)|' || c_number || ' (?:days?|weeks?|months?|nights?|times) (?:in a row|straight|without|this week|last week)|\d[\d,.]* ?(?:k|km|miles?|steps|kg|lbs?|reps|push-?ups|pull-?ups|squats|laps|hours|minutes|pages|words)\M)',
        '^first (?:ever |unassisted |proper |full |real )*(?:pull-?up|push-?up|5k|10k|marathon|half|muscle-?up|handstand|triathlon|gig|sale|client|win)|\m(?:is|are) (?:finally |now )?(?:paid off|fully paid|debt.free)|\m(?:not a single|no) [a-z]+ (?:in|for) (?:' || c_number || ') (?:days?|weeks?|months?)|' || c_i || '(?:have|has) not (?:smoked|had a (?:drink|cigarette)|touched (?:a )?(?:drink|alcohol|cigarette|sugar)|drunk) (?:since|for|in)\M|\mwent from \d.* to \d|\m(?:is|has gone|has dropped|dropped|is back) (?:up |down |from |in |to )+(?:\d|the normal|normal)|^(?:i )?(?:finally|at last) (?!want|going|time|friday|weekend|home|spring|summer|decided|understand|see|here)|\m(?:i|we) (?:have |has )?finally (?:[a-z]+ed|ran|told|did|made|got|went|slept|said|stood|took|wrote|swam|rode|spoke|found|cooked|beat|broke|began|kept|left|read|sent|sold|won|can)\M(?! (?:to understand|that))',
        '\m' || c_number || ' (?:straight )?(?:days?|weeks?|months?|years?) (?:in a row|straight|sober|clean|without|smoke-?free|alcohol-?free|sugar-?free|of (?:meditation|meditating|running|no|sobriety|training|daily|journaling|yoga))|\m(?:sober|clean|smoke-?free|alcohol-?free|vegan|consistent) (?:for|since) ',
        '\mnew (?:[a-z]+ ){0,2}(?:pb|pr|personal best|record|personal record)\M|\mset (?:a|my) (?:new )?(?:[a-z]+ )?(?:pb|pr|personal best|record)\M|\m(?:i|we) got (?:an? [abc][+-]?\M|full marks|first place|top marks|straight as|\d+ ?(?:%|points|percent))',
        c_i || '(?:have |has )(?:been (?:meditating|running|training|going|sober|clean|consistent|journaling|practi[sc]ing|eating|sticking|keeping|working out|exercising) .*(?:every|for|since|' || c_number || ')|kept (?:it )?up|saved )',
        c_i || 'kept (?:up )?(?:my|the|a) (?:promise|streak|routine|habit|plan|diet)');
    c_goal constant text := concat_ws('|',
        c_i || '(?:wants?|would ' || c_adverb || '(?:like|love)|hopes?|plans?|intends?|aims?|needs?|wish(?:es)?|(?:have |has )?(?:decided|resolved|committed|vowed|promised myself|set out)|dreams?) ' || c_adverb || '(?:to|of|on|that i (?:can|could|will))\M(?! (?:go now|you|your|it\M|the (?:answer|loo|toilet)|pee|sleep now|eat something|scream|cry|die|be there|hear|know|ask|see (?:that|this|it|what|you)|the (?:shop|store)))',
        c_i || '(?:have|has) always wanted to\M|\mwanted to .* for (?:years|ages)\M|' || c_i || '(?:wants?|needs?) (?:a|an|my|more|less|some|better|bigger|stronger|to lose)\M(?! (?:coffee|break|drink|beer|nap|minute|moment|second|snack|hug|bit|recipe|plan|help|info|information|details|example|ride|lift|word|second opinion|tea|pizza|burger))',
        c_i || c_be || '(?:trying|planning|hoping|aiming|looking to|looking for (?:a|an) (?:new )?(?:job|flat|apartment|house|partner|girlfriend|boyfriend|place|career|position|internship|apprenticeship)|working (?:on (?:my|our|getting|being|a)|towards?)|training (?:for|to)|saving (?:up )?(?:for|to|money)|determined|committed to|preparing (?:for|to)|prepping for|studying (?:for|to)|learning (?:to|how to|[a-z]+)|going to (?:run|lose|learn|start|stop|quit|try|save|cut|eat|train|do|finish|sign|give up|take up|become|apply|write|read|build|get|be|change|make|go vegan|reduce|drink|sleep|work|pass|reach|hit|master)\M)',
        '\m(?:my|our) (?:[a-z0-9''.-]+ ){0,3}(?:goals?|aims?|targets?|dreams?|objectives?|resolutions?|ambitions?|plans?)(?: (?:for|with|by|in|this|right) [a-z0-9 ]+?)? (?:is|are|would be|has always been|was always)\M|\m(?:set|have set|has set|got|have) (?:my|our|his|her|their) (?:sights|heart|mind|eye) (?:set )?on\M|\m(?:see|picture) myself [a-z]+ing\M|^(?:the plan|plan|idea|new year''?s resolution) is (?:to|no)\M|\mwould mean (?:the world|a lot|everything) to (?:me|us) to\M|^(?:i )?(?:my |our )?(?:[a-z]+ )?(?:goals?|aims?|targets?|resolutions?|new year''?s resolution)(?: (?:for|this) [a-z0-9 ]+)? ?[:=]');
    c_struggle constant text := concat_ws('|',
        c_i || c_maybe || '(?:struggl(?:e|es|ed|ing)|battl(?:e|es|ing)|suffer(?:s|ed|ing)? (?:from|with)|wrestling with|stuck (?:at|in|on|with|between)|fighting (?:with )?(?:my|the|insomnia|depression|anxiety)|procrastinat(?:e|es|ing))\M',
        c_i || '(?:have|has|had|having|am having|is having|have been having|keep having|still have) (?:a |an |some |such |so |much |many |lot of |lots of |real |big |huge |serious |major |bad |terrible |chronic |constant |zero |absolutely )*(?:trouble|difficult(?:y|ies)|hard time|tough time|rough time|problems?|issues?|no (?:motivation|energy|time|willpower|discipline|self-control|patience|appetite|confidence|idea how to stop)|zero (?:motivation|energy|time|willpower|discipline)|insomnia|migraines?|cravings?|panic attacks?|anxiety|depression|back pain|knee pain|stage fright|writer''s block|social anxiety|imposter syndrome|adhd|a sweet tooth|sweet tooth|fear of)',
        c_i || 'finds? (?:it|myself|[a-z]+ing|mornings|evenings|weekends|[a-z]+) ' || c_adverb || '(?:too |very |extremely |pretty |quite |incredibly |almost )*(?:hard|difficult|tough|impossible|exhausting|challenging|unable|slipping|scrolling|reaching for|boring)\M',
        '\m(?:is|are|it''s|was|feels?|gets|has been|have been) (?:always |really |so |very |too |still |just |quite |pretty |extremely |super |incredibly |getting )*(?:hard|difficult|tough|impossible|a struggle|a nightmare|the hardest|my weak(?:ness| spot)|exhausting|overwhelming)\M(?! (?:boiled|drive|copy))',
        c_i || '(?:can|could) not ' || c_adverb || '(?:seem to |ever |manage to |bring myself to |make myself )?(?:stop|stick|stay|keep|sleep|focus|concentrate|control|get (?!you|it\M)|find (?:the|time|a|any)|quit|resist|lose|relax|switch off|say no|motivate|shake|afford|fall|make|bring|commit|decide|let go|cope|handle|stand up|break|give up|run|train|exercise|lift|sit|walk|breathe|finish|follow|trust|save|remember names|turn off|unwind)\M',
        c_i || c_maybe || '(?:keep|keeps|kept) (?:on )?(?:failing|forgetting|procrastinating|putting|waking|snacking|eating|giving|quitting|skipping|missing|over|falling|getting|losing|making the same|comparing|worrying|buying|spending|scrolling|checking|arguing|fighting|ending|coming back|relapsing|postponing|missing|blowing|starting|stopping|hitting|doubting|thinking about|ordering|going back|breaking|staying up|saying yes|running out|cancell?ing)',
        c_i || '(?:end|ends|ended) up (?:[a-z]+ing)|' || c_i || '(?:gives? up|falls? off|relaps(?:e|es|ed)|overeats?|binges?|snaps? at|zones? out|forgets?|tends? to (?:over|forget|skip|give|snack|eat|procrastinate|worry|panic|put)|lose motivation|loses? (?:focus|motivation|interest|patience|my temper)|skip(?:s)? (?:workouts?|meals?|breakfast|the gym)|overthinks?|freezes?|panics?|blush)\M',
        '\m(?:my|our) (?:[a-z]+ ){0,2}(?:knees?|back|shoulders?|ankles?|hips?|neck|wrists?|foot|feet|heels?|head|stomach|elbow|hamstrings?|shins?|joints?|legs?|tummy|chest|jaw|eyes|skin|gut) (?:[a-z]+ )?(?:hurts?|aches?|ache|is killing|is sore|is acting up|acts up|gets? sore|swells?|swollen|is in pain|pains?|cramps?|always|still|keeps?|kills?|has been (?:hurting|aching|sore)|is (?:still )?(?:injured|bad|messed|stiff))|\m(?:biggest|main|worst) (?:problem|struggle|issue|weakness|challenge|obstacle|enemy|fear) (?:is|are|with|has)|\mproblem is (?:that )?(?:i|my|the|portion)|\mno matter (?:what|how)\M|\m(?:killing|defeats|draining|exhausting|wearing|gives|giving|haunts) (?:me|us|the life out)\M(?! (?:good|great|energy|a lot of (?:joy|energy)))|\m(?:has|have) (?:not|n''t) (?:budged|got over|gotten over)|\mnever (?:worked|works) for me|\m(?:mind|head) (?:goes|went) blank|\m(?:is|are) not what (?:it|they) used to be|\mnever (?:any|enough) time|\mfalls? apart\M|\m(?:my|our) (?:kryptonite|middle name|downfall|achilles|nemesis|undoing)\M|\mpaycheck to paycheck|\mcreep(?:s|ing)? back|\mout the window|\mmore than i (?:earn|make|should|can afford)|\m(?:stops|keeps|prevents) (?:me|us) from\M|\m(?:any|no|little) progress\M|\mnot my strong (?:suit|point)|\mimpost[eo]r syndrome|\m(?:lose|loose|loses|losing) (?:my|his|her) temper|\mbeing bullied|\m(?:argue|argues|fight|fights|arguing|fighting) (?:about|over|all the time|every)|\mbarely (?:talk|talks|speak|sleep|move)|\m(?:drinks?|drinking|eats?|eating|smokes?|smoking|works?|working|worries|worrying) (?:way |far )?too much\M|\mfreaks out\M|\myo-?yos?\M|\mfail(?:ed|s)? (?:every|again|each|\w+) times?|\msidelined\M|\mtakes me (?:hours|ages|forever)|\mimpossible for me\M|\mcravings hit|\mrock bottom|\mhavoc\M',
        c_i || '(?:do|does|did) not ' || c_adverb || '(?:have (?:the |any |enough |much |a )?(?:time|energy|motivation|discipline|money|willpower|strength|patience|confidence|appetite|self)|sleep|know how to (?:stop|cope|relax|say|deal|handle)|get enough|get (?:any|much) sleep|trust myself|feel (?:like myself|motivated|good|comfortable|confident|safe|rested))',
        c_i || '(?:have|has) not (?:been able|slept|managed|lost|exercised|worked out|been to|gone|seen any|touched|found the time|kept|stuck)|' || c_i || 'never (?:have|has|get|gets|find|finds|manage|feel|finish|seem)\M|\m(?:hardly|barely) (?:sleep|slept|have|get|any|ever)\M|\m(?:mornings?|nights?|evenings?|weekends|mondays|holidays|deadlines|presentations) (?:are|is) (?:[a-z]+ )?(?:hard|the worst|tough|rough|difficult|hell|a struggle|brutal)|\mgets? (?:in the way|me down|on top of me|to me|the better of me)\M|\m(?:ruins?|kills?|wrecks?|destroys?|messes up|stresses) (?:my|me|our)\M|\mdebt\M.*\mi\M');
    c_feeling constant text := c_i || '(?:' || c_be || ')?(?:feel|feels|feeling|felt|am|is|are|been|get|gets|getting) ' || c_adverb || '(?:too |very |completely |quite |pretty |incredibly |more and more |a bit |like )*(?:low|down|numb|empty|worthless|stressed|anxious|overwhelmed|burn(?:ed|t) out|exhausted|lonely|depressed|insecure|ashamed|stuck|unmotivated|demotivated|hopeless|afraid of|scared of|scared to|afraid to|terrified of|nervous (?:about|when|before|around|every)|addicted|worried about|isolated|homesick|self-conscious|discouraged|guilty|jealous|out of breath|out of shape|drained|a failure|an impost[eo]r|headaches|migraines|dizzy|cravings|breathless|winded|distracted|bored (?:with|of)|bad at|terrible at|awful at|hopeless at|not good at|tired (?:all|every|after|of|by|in|when|at work)|so tired|always tired|behind (?:with|on|in)|in (?:debt|pain))\M';
    c_preference constant text := concat_ws('|',
        c_i || c_maybe || '(?:loves?|likes?|enjoys?|prefers?|adores?|hates?|dislikes?|detests?|loathes?|avoids?|despises?|(?:can|could) not (?:really )?(?:stand|bear|do without|live without|eat|have|tolerate|digest|drink)|would (?:much |always |really )?(?:rather|prefer)|(?:do|does|did) not (?:really |even |ever |usually |normally |much )*(?:like|enjoy|eat|drink|smoke|cook|care for|do well|believe in|use|own|work well|respond well|watch|want|touch|buy|do (?:mornings|group|cardio|dairy|gluten|spicy))|never (?:eats?|drinks?|cooks?|smokes?|touch(?:es)?|train|work out)|stopped eating|eats? (?:only|mostly|no|everything|a lot of|plant|low|vegan|halal|kosher|meat|fish)|only (?:eats?|drinks?|trains?|works?)|drinks? (?:only|mostly|no)|(?:always |usually |mostly |normally |generally |often )(?:eats?|drinks?|trains?|works?|works? out|runs?|exercises?|stud(?:y|ies)|cooks?|sleeps?|go(?:es)?|skips?|takes?|listens?|walks?|gets? up|bikes?|swims?))\M',
        c_i || c_be || '(?:not )?(?:a |an |much of a )?(?:strict |mostly |big |huge |total |real |lifelong |fairly |more |more of an? |pretty |very |severely |not )*(?:vegans?|vegetarians?|pescatarians?|flexitarian|kosher|halal|keto|lactose|gluten|coeliac|celiac|allergic|intolerant|sensitive to|into|fan of|fans of|morning (?:person|people|runner)|night owl|early (?:bird|riser)|keen on|fond of|crazy about|obsessed with|picky eater|introvert|extrovert|visual learner|person who|type who|team player|lone wolf|homebody|dog person|cat person|teetotal|a (?:coffee|tea|gym|beach|mountain|people|list|numbers) person|against|partial to|used to getting)',
        '^(?:i )?(?:vegan|vegetarian|allergic to|lactose intolerant|gluten free|pescatarian)\M|\m(?:my|our) (?:[a-z]+ )?(?:all-time )?favou?rite\M|\m(?:a hard no|hard pass|my happy place)\M|\m(?:do|does) not get along\M|\msteers? clear of\M|\m(?:could|can) not care less about\M|\m(?:no|zero) (?:desire|interest|wish) (?:to|in)\M|\mnot looking to\M|\mnever been one for\M|\msuits? me\M|\mbeats? .* any (?:day|time)|\m(?:will|would) not (?:touch|eat|go near)\M|\mkeeps? (?:a )?(?:kosher|halal)|^big fan of\M|\mfinds? [a-z ]+ (?:far |much |way )?more (?:enjoyable|fun|relaxing|interesting)|^(?:please )?(?:use|skip|write|talk|speak|answer|reply|keep it) .*\m(?:with me|from now on|in (?:the )?future|every time)\M|\mis (?:by far )?(?:my|our) (?:[a-z]+ )?(?:favou?rite|thing|cup of tea|jam|guilty pleasure|go-to)\M|\m(?:is not|are not|not really|never been) (?:my|our|for) (?:thing|me|cup of tea|style)\M|\m(?:works?|suits?|fits?) (?:me )?(?:best|better|well|great|fine)?(?: for me)?\M(?=.*\m(?:me|best)\M)|\m(?:i|we) (?:work|train|learn|do|sleep|function|study|focus|think|run|perform|concentrate) (?:best|better|well|my best)\M|\mdoes not (?:work|agree) (?:for|with) me\M|\mover [a-z]+ any ?day\M|\many ?day over\M',
        '^(?:please |pls |and |just )*(?:always|never|from now on|in (?:the )?future|do not ever|no more)\M.*\m(?:answers?|reply|replies|respond|explain|call|address|write|use|using|speak|talk|ask|asking|give|be|tell|mention|suggest|recommend|start|skip|remind|units|metric|kg|emojis?|language|short|brief|formal|german|english|french|spanish)\M|^(?:please |pls |just )*(?:call|address) me [a-z]+|^(?:please |pls |just )*(?:stop|quit|do not|no) (?:asking|calling|using|telling|being|giving|ask|call|use|sugar ?coat|lecture|lecturing|tell me to|remind|be so|treat|talk to me|suggest|send|emojis|mention)|^(?:please |pls |just )*keep (?:it|your|the|things|answers|replies|messages)\M.*\m(?:short|brief|simple|concise|light|casual|direct|formal|positive)\M|\m(?:be|talk to me|treat me) (?:more |a bit more |always |brutally )?(?:direct|honest|gentle|brief|blunt|tough|strict|straight|kind|patient)\M.*\m(?:with me|to me|always|when)\M|\m(?:i|we) (?:would )?prefer (?:short|long|brief|direct|honest|answers|bullet|metric|it when|when|if)');
    -- What adds nothing goes, so that patterns need not look for it everywhere.
    v text := regexp_replace(s, '\m(?:really|just|also|even|so|very|actually|definitely|truly|currently|already|seriously|absolutely|totally|kind of|sort of|mainly|generally|recently|still|now) ', '', 'g');
    v_is_negated boolean := v ~ ('\m(i|we) ' || c_adverb || '(do|does|did|have|has|had|could|can|am|is|are|was|were|would|will) not\M|\m(never|no longer) (want|managed|finished|made|reached|lost|learned|quit)|\mnot yet\M|\mwithout (finishing|success)\M|\mfailed to\M');
begin
    if not v_is_negated and v ~ c_milestone and v !~ '\m(want|would like|would love|trying|hope|hoping|plan|planning|dream|goal is|looking|need) (to|of|for) ' then
        return 'milestone';
    elsif not v_is_negated and v !~ '\m(want|would like|would love|trying|hope|hoping|plan|planning|goal|need|should|will|have|has) (is )?(to|of) (?!date)' and v !~ '\mgoing to\M' and v ~ c_achievement then
        return 'achievement';
    elsif v ~ (c_i || '(?:do|does|did) not (?:really |even |actually )*(?:want|wish|intend|plan)|' || c_i || 'no longer (?:want|wish)|^i (?:never|no longer) (?:want|wish)') then
        return 'preference';
    elsif v !~ '\m(?:i|we) (?:really |do |does )*not (?:need|hope|aim|like|plan)' and v ~ c_goal then
        return 'goal';
    elsif v ~ c_struggle or v ~ c_feeling and v !~ '\m(today|tonight|this morning|right now)[.! ]*$' then
        return 'struggle';
    elsif v ~ c_preference then
        return 'preference';
    end if;
    return null;
end
$$;

comment on function uplift.memory_kind(text) is
    'What kind of memory a sentence in the form of uplift.memory_form() is: goal, preference, achievement, struggle, milestone; null: none.';

create or replace function uplift.find_memories(p_text text)
returns table (n bigint, memory_type text, subject text, memory_text text, importance numeric)
language sql immutable parallel safe
as $$
    select s.n, k.kind, w.subject, rtrim(left(s.sentence, 300), ' .!…'),
        case k.kind when 'achievement' then 9.0 when 'milestone' then 9.0 when 'goal' then 8.0 else 7.0 end - case when w.subject is null then 0 else 3 end
    from uplift.sentences(p_text) s
    cross join lateral uplift.memory_subject(s.sentence) w
    cross join lateral uplift.memory_form(w.sentence) f
    cross join lateral (select case when not uplift.is_about_the_talk(f) then uplift.memory_kind(f) end as kind) k
    where length(s.sentence) >= 6 and k.kind is not null
$$;

comment on function uplift.find_memories(text) is
    'What of a text that a user typed is worth remembering, by rules for English: each sentence with its kind, whom it is about (null: the user) and importance, in order.';
